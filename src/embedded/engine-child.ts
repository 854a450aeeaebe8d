/**
 * The embedded engine's own process: llama.cpp behind the part of llama-server's HTTP interface that a gateway uses, on
 * loopback. It lives in a process of its own because llama.cpp answers what it cannot do by crashing.
 *
 * Started by engine-process.ts only: settings in the one argument, reports over IPC. It ends when that channel closes,
 * which it does also when the parent is killed. Standard output belongs to llama.cpp, which logs there.
 */
import type { AddressInfo } from 'node:net'
import { Engine } from './engine/engine.ts'
import { buildServer } from './engine/http-server.ts'
import { type Binding, loadBinding } from './engine/llama-binding.ts'
import { type EngineReport, parseSettings } from './engine/settings.ts'

/** How long freeing the native memory may take before the process ends without. */
const releaseTimeoutMs = 1000

const settings = parseSettings(process.argv[2] ?? '')
let engine: Engine | undefined

// An interrupt from a terminal reaches the whole process group; the parent drains first and then closes the channel.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.once('disconnect', () => {
  void exit()
})
// It may have closed already, before anybody listened for that.
if (!process.connected) process.exit()

const server = buildServer(() => engine)
// Nothing can be served without the port: the parent sees the exit and tries again.
server.once('error', () => process.exit(1))
server.listen(settings.port, '127.0.0.1', () => {
  // Bound to TCP, so the address is not a pipe's string.
  const { port } = server.address() as AddressInfo
  report({ kind: 'listening', port })
  void start()
})

async function start(): Promise<void> {
  let binding: Binding
  try {
    binding = await loadBinding()
  } catch (error) {
    return giveUp({ kind: 'unavailable', reason: messageOf(error) })
  }
  try {
    engine = await Engine.load(settings, binding)
  } catch (error) {
    return giveUp({ kind: 'failed', reason: `the model ${settings.modelPath} cannot be loaded: ${messageOf(error)}` })
  }
  report({ kind: 'ready' })
}

function report(message: EngineReport): void {
  if (process.connected) process.send?.(message)
}

/** Says why and ends, once the parent has been told. */
function giveUp(message: EngineReport): void {
  process.send?.(message, () => process.exit(1))
}

async function exit(): Promise<void> {
  server.close()
  server.closeAllConnections()
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), releaseTimeoutMs)
  await engine?.release().catch(() => undefined)
  process.exit(0)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
