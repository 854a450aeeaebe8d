/** Bytes that look like one request to one reader and like two to another, and what became of them. */

export interface Payload {
  readonly name: string
  /** All readers agree that it is one whole request: it may be served. */
  readonly isPlain: boolean
  /** The bytes of this payload where it has that number: both the request and what it hides say it in their URLs. */
  bytes(at: number): Buffer
}

export const hiddenPath = '/hidden'

/** The request that must never be one; as long for each number. */
export const hidden = (at: number): string => `GET ${hiddenPath}/${number(at)} HTTP/1.1\r\nHost: a\r\n\r\n`

export const number = (at: number): string => String(at).padStart(4, '0')

interface Parts {
  /** Behind Host, key and type. */
  readonly lines: readonly string[]
  readonly body: string
  readonly method?: string
  readonly path?: string
}

/** A POST to the chat, with the right to ask. */
export const request = (name: string, write: (at: number) => Parts): Payload => posted(name, write, false)

/** One that all readers agree about. */
export const plain = (name: string, write: (at: number) => Parts): Payload => posted(name, write, true)

function posted(name: string, write: (at: number) => Parts, isPlain: boolean): Payload {
  const text = (at: number) => {
    const { lines, body, method = 'POST', path = '/v1/chat/completions' } = write(at)
    const head = [`${method} ${path}?case=${number(at)} HTTP/1.1`, 'Host: a', authorization, ...asJson, ...lines]
    return `${head.join('\r\n')}\r\n\r\n${body}`
  }
  return raw(name, text, isPlain)
}

/** Exactly this text, one byte a character. */
export const raw = (name: string, write: (at: number) => string, isPlain = false): Payload => ({
  name,
  isPlain,
  bytes: at => Buffer.from(write(at), 'latin1'),
})

const asJson = ['Content-Type: application/json'] as const
export const authorization = 'Authorization: Bearer test-admin-key-0123456789-0123456789'
