/** Many requests over one connection, several of them on their way at once: what a load needs, and no more. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { TestContext } from 'node:test'
import { onEnd } from './cleanup.ts'

export interface Pipelined {
  readonly port: number
  readonly key: string
  readonly path: string
  /** The body of each request, in turn. */
  readonly bodies: Iterable<string>
  /** On their way at once. */
  readonly depth: number
  /** `head` is everything before the body, in small letters. */
  readonly onAnswer: (head: string, body: string, number: number) => void
}

/** Settled when all are answered; answers have to say their length. */
export async function sendPipelined(t: TestContext, options: Pipelined): Promise<void> {
  const { port, key, path, bodies, depth, onAnswer } = options
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  onEnd(t, () => socket.destroy())
  await once(socket, 'connect')
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const rest = bodies[Symbol.iterator]()
  let [sent, answered, received, isAll] = [0, 0, '', false]
  const send = () => {
    let text = ''
    while (!isAll && sent - answered < depth) {
      const next = rest.next()
      if (next.done) {
        isAll = true
        break
      }
      sent++
      text += `POST ${path} HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(next.value)}\r\n\r\n${next.value}`
    }
    if (text !== '') socket.write(text)
    if (isAll && sent === answered) resolve()
  }
  socket.on('data', chunk => {
    received += chunk.toString('latin1')
    for (;;) {
      const end = received.indexOf('\r\n\r\n')
      if (end === -1) break
      const head = received.slice(0, end).toLowerCase()
      const length = Number(/\ncontent-length: (\d+)/.exec(head)?.[1] ?? Number.NaN)
      if (Number.isNaN(length)) return reject(new Error(`an answer without a length: ${head}`))
      if (received.length < end + 4 + length) break
      const body = received.slice(end + 4, end + 4 + length)
      received = received.slice(end + 4 + length)
      onAnswer(head, body, answered++)
    }
    send()
  })
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('the connection was closed')))
  send()
  await promise
  socket.removeAllListeners('close')
  socket.destroy()
}
