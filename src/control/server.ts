/** Lets commands reach the server that holds the database: a socket only its owner can open. */
import { once } from 'node:events'
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { performCommand } from '../admin/command-operations.ts'
import type { Operations } from '../admin/operations.ts'
import { WeirError } from '../errors.ts'
import { parseShape, ShapeError } from '../schemas/check.ts'
import { type ControlAddress, makeControlAddress, removeStaleAddress } from './address.ts'
import { connectControl } from './client.ts'
import { type Answer, CallSchema, maxQuestionBytes, onLine } from './protocol.ts'

export interface ControlServer {
  readonly path: string
  close(): Promise<void>
}

interface ControlLog {
  error(details: object, message: string): void
}

export interface ControlServerOptions {
  /** Must exist. */
  readonly dataDir: string
  readonly operations: Operations
  readonly log: ControlLog
}

const maxConnections = 16
const idleTimeoutMs = 60_000

/**
 * Listens, or returns null when another server of the same data directory does already (which only servers with a
 * PostgreSQL of their own can be). What a killed server left behind is replaced.
 */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer | null> {
  const other = await connectControl(options.dataDir)
  if (other) {
    other.close()
    return null
  }
  removeStaleAddress(options.dataDir)
  const address = makeControlAddress(options.dataDir)
  if (process.platform !== 'win32') rmSync(address.path, { force: true })
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    serve(socket, options)
  })
  server.maxConnections = maxConnections
  await listen(server, address)
  return {
    path: address.path,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
      address.remove()
    },
  }
}

async function listen(server: Server, { path }: ControlAddress): Promise<void> {
  server.listen(path)
  await once(server, 'listening')
  if (process.platform !== 'win32') chmodSync(path, 0o600)
}

function serve(socket: Socket, options: ControlServerOptions): void {
  socket.setTimeout(idleTimeoutMs, () => socket.destroy())
  // A command that was interrupted is no event of ours.
  socket.on('error', () => {})
  let last = Promise.resolve()
  onLine(socket, maxQuestionBytes, line => {
    last = last.then(async () => {
      const answer = await answerLine(line, options)
      if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`)
    })
  })
}

async function answerLine(line: string, { operations, log }: ControlServerOptions): Promise<Answer> {
  try {
    const { call, input } = parseShape(CallSchema, JSON.parse(line))
    return { ok: true, result: await performCommand(operations, call, input) }
  } catch (error) {
    if (error instanceof WeirError || error instanceof ShapeError) return { ok: false, message: error.message }
    log.error({ err: error }, 'a command failed')
    return { ok: false, message: error instanceof Error ? error.message : 'it failed' }
  }
}
