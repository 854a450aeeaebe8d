/**
 * What the log tells of an error. An allow-list: the words of a library can hold a URL with its password, a part of a prompt
 * or a row of the database, so they are told only where they are known to hold none.
 */

export interface DescribedError {
  readonly type: string
  readonly message?: string
  readonly code?: string
  /** Where it was made: functions and places, none of its words. */
  readonly stack?: readonly string[]
  readonly cause?: DescribedError
  [detail: string]: unknown
}

/** What these tell is a name of the program, of its database or of the system. */
const details = ['severity', 'routine', 'schema_name', 'table_name', 'column_name', 'constraint_name', 'kind', 'status']
const maxDepth = 3
const maxFrames = 8
const name = /^[\w$.:-]{1,64}$/
/** Of V8 itself: its words can have a piece of the text in quotes that it was given. */
const native = new Set(['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'URIError', 'EvalError'])
const frame = /^\s+at (.{1,300})$/
/** Values are between quotes, of whichever language the server speaks. */
const quoted = /(["'`]).*?\1|«.*?»|„.*?[“”]|“.*?”/gsu

export function describeError(error: unknown, depth = 1): DescribedError {
  if (!(error instanceof Error)) return { type: typeof error }
  const frames = framesOf(error)
  const message = messageOf(error, frames)
  const { code, cause } = error as Error & { code?: unknown }
  const described: DescribedError = {
    type: name.test(error.name) ? error.name : 'Error',
    ...(message === null ? {} : { message }),
    ...(typeof code === 'string' && name.test(code) ? { code } : {}),
  }
  for (const detail of details) {
    const value: unknown = Reflect.get(error, detail)
    if (typeof value === 'number' || (typeof value === 'string' && name.test(value))) described[detail] = value
  }
  return {
    ...described,
    ...(frames.length === 0 ? {} : { stack: frames.slice(0, maxFrames) }),
    ...(cause === undefined || depth >= maxDepth ? {} : { cause: describeError(cause, depth + 1) }),
  }
}

/** In a few words, for the reason of something. */
export function reasonOf(error: unknown): string {
  const { type, message, code } = describeError(error, maxDepth)
  return message ?? (code === undefined ? type : `${type} ${code}`)
}

/** Null where nobody knows what is in it. */
function messageOf(error: Error, frames: readonly string[]): string | null {
  const { code, syscall } = error as Error & { code?: unknown; syscall?: unknown }
  if (typeof syscall === 'string' && typeof code === 'string') return systemMessage(error, syscall, code)
  if (error.name === 'PostgresError') return /^2[23]/.test(String(code)) ? null : withoutQuoted(error.message)
  if (error.name === 'ReplyError') return withoutQuoted(error.message)
  // Node's own repeat what they were given.
  if (!isOurs(frames[0]) || String(code).startsWith('ERR_')) return null
  return native.has(error.name) ? withoutQuoted(error.message) : error.message
}

/** `connect ECONNREFUSED 127.0.0.1:5432`: where to is in the configuration. */
function systemMessage(error: Error, syscall: string, code: string): string {
  const { address, port, hostname, path } = error as Error & Record<'address' | 'port' | 'hostname' | 'path', unknown>
  const place = address ?? hostname ?? path
  const text = typeof place === 'string' ? ` ${place}` : ''
  return `${syscall} ${code}${text}${typeof port === 'number' ? `:${port}` : ''}`
}

const withoutQuoted = (message: string): string => message.replace(quoted, '"…"')

/** Its words may look like places, so these are looked for behind them only. */
function framesOf({ stack = '', message }: Error): string[] {
  const at = stack.indexOf(message)
  if (at < 0) return []
  return stack
    .slice(at + message.length)
    .split('\n')
    .flatMap(line => frame.exec(line)?.[1] ?? [])
}

const isOurs = (place = ''): boolean => place.includes('file:') && !place.includes('/node_modules/')
