/** One line of JSON asks, one line answers. Both sides are the same user on the same machine. */
import type { Socket } from 'node:net'
import { type CommandName, commandNames } from '../admin/command-operations.ts'
import { type Static, Type } from '../schemas/typebox.ts'

export const CallSchema = Type.Object(
  { call: Type.Unsafe<CommandName>(Type.Union(commandNames.map(name => Type.Literal(name)))), input: Type.Unknown() },
  { additionalProperties: false },
)
export type Call = Static<typeof CallSchema>

export const AnswerSchema = Type.Union([
  Type.Object({ ok: Type.Literal(true), result: Type.Unknown() }),
  Type.Object({ ok: Type.Literal(false), message: Type.String() }),
])
export type Answer = Static<typeof AnswerSchema>

/** The longest question; an answer may be a list and is bounded by its length. */
export const maxQuestionBytes = 512 * 1024
export const maxAnswerBytes = 16 * 1024 * 1024

/** Hands over each line that comes; a line that is longer than allowed ends the connection. */
export function onLine(socket: Socket, maxBytes: number, handle: (line: string) => void): void {
  let parts: Buffer[] = []
  let length = 0
  socket.on('data', (chunk: Buffer) => {
    let rest = chunk
    for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a)) {
      handle(Buffer.concat([...parts, rest.subarray(0, end)]).toString())
      parts = []
      length = 0
      rest = rest.subarray(end + 1)
    }
    parts.push(rest)
    length += rest.length
    if (length > maxBytes) socket.destroy(new Error('the line is too long'))
  })
}
