/** Whom a request counts for where callers are told apart by their addresses alone. */
import { isIPv4, isIPv6 } from 'node:net'

/** The longest IPv6 address with a port; longer text is none and is not looked at. */
const maxAddressLength = 64
/** Of eight groups of 16 bits those that one subscriber is given: whoever has one address of a /64 has all of them. */
const prefixGroups = 4

/**
 * One text for all addresses that count as one: an IPv4 address, also where it is written `::ffff:1.2.3.4`, and the /64 of
 * an IPv6 address. Some proxies write a port behind the address; it is another for every connection, so it is dropped.
 * What is no address counts for the connection's own, `peer`, so that made-up text is nobody new.
 */
export function countedAddress(claimed: string | undefined, peer: string | undefined): string {
  return networkOf(claimed) ?? networkOf(peer) ?? 'unknown'
}

function networkOf(text: string | undefined): string | undefined {
  if (text === undefined || text.length > maxAddressLength) return undefined
  if (isIPv4(text)) return text
  const address = withoutPort(text)
  if (isIPv4(address)) return address
  return isIPv6(address) ? ipv6NetworkOf(address.split('%', 1)[0] ?? '') : undefined
}

/** `1.2.3.4:5678`, `[::1]:5678` and `[::1]` without what is not the address. */
function withoutPort(text: string): string {
  return /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text
}

/** Of a well-formed address without a zone. By hand, since libraries take 8 µs for it and every request waits for this. */
function ipv6NetworkOf(address: string): string {
  const [left = '', right] = address.split('::')
  const head = groupsOf(left)
  const tail = groupsOf(right ?? '')
  const zeros = right === undefined ? 0 : 8 - head.length - tail.length
  const groups = [...head, ...Array<number>(zeros).fill(0), ...tail]
  const [high = 0, low = 0] = groups.slice(6)
  const isMapped = groups[5] === 0xff_ff && groups.slice(0, 5).every(group => group === 0)
  if (isMapped) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  return `${groups
    .slice(0, prefixGroups)
    .map(group => group.toString(16))
    .join(':')}::`
}

/** The groups between colons; the last may be an IPv4 address, which is two. */
function groupsOf(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap(group => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}
