/** What a server in front of this one may have understood in another way than we do, although the parser takes it. */

export interface RequestHead {
  readonly httpVersion: string
  /** The target as it was sent. */
  readonly url?: string | undefined
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[]
}

/** RFC 3986 §3.2: a name or an address, without a user, and a port; a name may be empty. */
const authority = /^(?:\[[\d.:a-f]+\]|[\w!$%&'()*+,.;=~-]*)(?::\d{0,5})?$/i

/** What is wrong with it, in words for the caller. */
export function headFault({ httpVersion, url = '', rawHeaders }: RequestHead): string | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    return 'This server speaks HTTP/1.1 and HTTP/1.0, and no other version.'
  // With an address in it, it is for a proxy (RFC 9112 §3.2.2), and there would be two hosts to choose from.
  if (!url.startsWith('/') || url.includes('#'))
    return 'The target of a request is a path, which begins with a slash and has no fragment.'
  let [hosts, host] = [0, '']
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue
    hosts += 1
    host = rawHeaders[at + 1] ?? ''
  }
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) return 'A request needs one Host header.'
  return authority.test(host) ? undefined : 'The Host header is not a name or an address, with or without a port.'
}
