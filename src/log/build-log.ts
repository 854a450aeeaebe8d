/** The log: one JSON object a line, of fields that are known, each in a form that can hold nothing else. */
import { type DestinationStream, type Logger, pino } from 'pino'
import { describeError } from './describe-error.ts'
import { isKnownField } from './fields.ts'
import { isPrintable, safeText } from './safe-text.ts'

export interface LogOptions {
  readonly level: string
  readonly destination: DestinationStream
}

const maxMessageChars = 1000
const maxTextChars = 2000
/** Of all texts of one line together, so that no line is longer than about 100 KB, even if all of it has to be escaped. */
const maxLineChars = 16_000
/** Of a text in a line that is not copied: names and ids are shorter. */
const maxPlainChars = 200
const maxItems = 101
const maxDepth = 4

export function buildLog({ level, destination }: LogOptions): Logger {
  return pino(
    {
      level,
      serializers: { err: asIs },
      formatters: { log: knownFields },
      hooks: {
        logMethod(args, method) {
          const [first, message = 'error'] = args as readonly unknown[]
          // Without words of its own a line would get those of its error.
          if (typeof first === 'string') method.call(this, safeText(first, maxMessageChars))
          else method.call(this, asFields(first), safeText(String(message), maxMessageChars))
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
function knownFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if (isPlain(fields)) return fields
  const room: Room = { chars: maxLineChars }
  const known: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(fields)) {
    if (field === 'err') known['err'] = plain(describeError(value), room)
    else if (value !== undefined && isKnownField(field)) known[field] = plain(value, room)
  }
  return known
}

/** Nearly every line is, and is not copied then. */
function isPlain(fields: Readonly<Record<string, unknown>>): boolean {
  for (const field in fields) {
    const value = fields[field]
    const isFine =
      typeof value === 'string' ? value.length <= maxPlainChars && isPrintable(value) : Number.isFinite(value)
    if (!isFine || !isKnownField(field)) return false
  }
  return true
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
