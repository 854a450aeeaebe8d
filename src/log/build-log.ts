/** The log: one JSON object a line, of fields that are known, each in a form that can hold nothing else. */
import { type DestinationStream, type Logger, pino } from 'pino'
import { describeError } from './describe-error.ts'
import { isKnownField } from './fields.ts'
import { safeText } from './safe-text.ts'

export interface LogOptions {
  readonly level: string
  readonly destination: DestinationStream
}

const maxMessageChars = 1000
const maxTextChars = 2000
/** Of all texts of one line together, so that no line is longer than about 100 KB, even if all of it has to be escaped. */
const maxLineChars = 16_000
const maxItems = 101
const maxDepth = 4

export function buildLog({ level, destination }: LogOptions): Logger {
  return pino(
    {
      level,
      serializers: { err: asIs },
      formatters: { log: knownFields },
      hooks: {
        logMethod([first, ...others], method) {
          // Without words of its own a line would get those of its error.
          if (typeof first === 'string') method.call(this, safeText(first, maxMessageChars))
          else method.call(this, asFields(first), safeText(String(others[0] ?? 'error'), maxMessageChars))
        },
      },
    },
    destination,
  )
}

/** What is left of a line for texts. */
interface Room {
  chars: number
}

const asIs = (value: unknown): unknown => value

const asFields = (value: unknown): object => {
  if (value instanceof Error) return { err: value }
  return typeof value === 'object' && value !== null ? value : {}
}

/** What is not known is not logged: it may be a header, a body, or an object of a library. */
function knownFields(fields: object): Record<string, unknown> {
  const room: Room = { chars: maxLineChars }
  const known: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(fields)) {
    if (field === 'err') known['err'] = plain(describeError(value), room)
    else if (value !== undefined && isKnownField(field)) known[field] = plain(value, room)
  }
  return known
}

function plain(value: unknown, room: Room, depth = 1): unknown {
  switch (typeof value) {
    case 'number':
    case 'boolean':
      return value
    case 'bigint':
      return String(value)
    case 'string': {
      const text = safeText(value, Math.min(maxTextChars, Math.max(0, room.chars)))
      room.chars -= text.length
      return text
    }
    case 'object':
      return value === null || depth > maxDepth ? null : plainObject(value, room, depth)
    default:
      return null
  }
}

function plainObject(value: object, room: Room, depth: number): unknown {
  if (value instanceof Error) return plain(describeError(value), room, depth)
  if (Array.isArray(value)) return value.slice(0, maxItems).map(item => plain(item, room, depth + 1))
  const entries = Object.entries(value).slice(0, maxItems)
  return Object.fromEntries(entries.map(([key, item]) => [safeText(key, 64), plain(item, room, depth + 1)]))
}
