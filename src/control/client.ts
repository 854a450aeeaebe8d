/** The command's end of the control socket. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type CommandOperations, commandOperationsOver } from '../admin/command-operations.ts'
import { parseShape } from '../schemas/check.ts'
import { findControlPath } from './address.ts'
import { AnswerSchema, type Call, maxAnswerBytes, onLine } from './protocol.ts'

export interface ControlConnection {
  /** What the server refuses is an Error with the server's message. */
  readonly operations: CommandOperations
  close(): void
}

const answerTimeoutMs = 30_000
/** No server, or one that is gone: on Linux a socket file whose process was killed refuses. */
const noServer = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ECONNRESET', 'EPIPE'])

/** Connects to the server that runs with this data directory, or returns null when none does. */
export async function connectControl(dataDir: string): Promise<ControlConnection | null> {
  const path = findControlPath(dataDir)
  if (path === null) return null
  const socket = connect(path)
  try {
    await once(socket, 'connect')
  } catch (error) {
    if (error instanceof Error && 'code' in error && noServer.has(String(error.code))) return null
    throw error
  }
  const ask = askerOver(socket)
  return { operations: commandOperationsOver((call, input) => ask({ call, input })), close: () => socket.destroy() }
}

function askerOver(socket: Socket): (question: Call) => Promise<unknown> {
  const waiting: PromiseWithResolvers<string>[] = []
  onLine(socket, maxAnswerBytes, line => waiting.shift()?.resolve(line))
  const fail = (error: Error) => {
    for (const { reject } of waiting.splice(0)) reject(error)
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the server closed the connection before it answered')))
  socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error('the server does not answer')))
  return async question => {
    const answer = Promise.withResolvers<string>()
    waiting.push(answer)
    socket.write(`${JSON.stringify(question)}\n`)
    const parsed = parseShape(AnswerSchema, JSON.parse(await answer.promise))
    if (parsed.ok) return parsed.result
    throw new Error(parsed.message)
  }
}
