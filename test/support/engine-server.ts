/** A real llama.cpp server of the kind that Weir embeds, as a backend that can be killed and started again. */
import { type ChildProcess, fork } from 'node:child_process'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type EngineSettings, isReport } from '../../src/embedded/engine/settings.ts'
import { onEnd } from './cleanup.ts'
import { happens, within } from './inbox.ts'

const childPath = fileURLToPath(new URL('../../src/embedded/engine-child.ts', import.meta.url))
const modelPath = fileURLToPath(new URL('../../src/embedded/model/weir-demo.gguf', import.meta.url))
const maxLoadMs = 20_000

export interface EngineServer {
  readonly url: string
  /** Stops its work where it is (SIGSTOP), or lets it go on. */
  pause(isPaused: boolean): void
  /** `kill -9`; fulfilled when the process is gone. */
  kill(): Promise<void>
  /** On the same port again; fulfilled when the model is loaded. */
  start(): Promise<void>
}

/** With the model that Weir ships. It ends with the test, and with this process however that ends. */
export async function startEngineServer(t: TestContext, slots: number): Promise<EngineServer> {
  let settings: EngineSettings = { modelPath, modelName: 'weir-demo', slots, contextLength: 1024, port: 0 }
  let child: ChildProcess
  const start = async () => {
    child = fork(childPath, [JSON.stringify(settings)], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
    const ready = Promise.withResolvers<void>()
    child.on('message', report => {
      if (!isReport(report)) return
      if (report.kind === 'listening') settings = { ...settings, port: report.port }
      else if (report.kind === 'ready') ready.resolve()
      else ready.reject(new Error(report.reason))
    })
    child.once('exit', (code, signal) => ready.reject(new Error(`the engine ended: ${signal ?? code}`)))
    await within(ready.promise, maxLoadMs, () => `the engine has not loaded its model within ${maxLoadMs} ms`)
  }
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await happens(child, 'exit')
  }
  onEnd(t, kill)
  await start()
  const pause = (isPaused: boolean) => void child.kill(isPaused ? 'SIGSTOP' : 'SIGCONT')
  return { url: `http://127.0.0.1:${settings.port}`, pause, kill, start }
}
