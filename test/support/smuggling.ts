/** Bytes that look like one request to one reader and like two to another, and what became of them. */

export interface Payload {
  readonly name: string
  /** The bytes of this payload where it has that number: both the request and what it hides say it in their URLs. */
  bytes(at: number): Buffer
}

export const hiddenPath = '/hidden'

/** The request that must never be one; as long for each number. */
export const hidden = (at: number): string => `GET ${hiddenPath}?case=${number(at)} HTTP/1.1\r\nHost: a\r\n\r\n`

export const number = (at: number): string => String(at).padStart(4, '0')

interface Parts {
  /** Behind the request line and Host, or in the place of both. */
  readonly lines: readonly string[]
  readonly body: string
  readonly method?: string
  readonly path?: string
}

/** A POST to the chat, with the right to ask. */
export function request(name: string, write: (at: number) => Parts): Payload {
  return raw(name, at => {
    const { lines, body, method = 'POST', path = '/v1/chat/completions' } = write(at)
    const head = [`${method} ${path}?case=${number(at)} HTTP/1.1`, 'Host: a', authorization, ...asJson, ...lines]
    return `${head.join('\r\n')}\r\n\r\n${body}`
  })
}

/** Exactly this text, one byte a character. */
export const raw = (name: string, write: (at: number) => string): Payload => ({
  name,
  bytes: at => Buffer.from(write(at), 'latin1'),
})

const asJson = ['Content-Type: application/json'] as const
export const authorization = 'Authorization: Bearer test-admin-key-0123456789-0123456789'
