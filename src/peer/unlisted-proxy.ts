/** Finds the proxy that somebody forgot to list: then all who come through it are one address. */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIPv4 } from 'node:net'

/** Where proxies of one's own are. A mapped address (`::ffff:10.0.0.1`) is looked up as the IPv4 address it is. */
const privateNetworks = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '127.0.0.0/8',
  'fc00::/7',
  'fe80::/10',
  '::1/128',
]

/**
 * Looks at the requests it is given and calls `warn` once, with the peer's address, when one with a forwarding header comes
 * from a private address that is not in `trustedProxies` (CIDRs). Anybody on the internet can send such a header, so
 * public peers are never suspected.
 */
export function buildProxyWatch(
  trustedProxies: readonly string[],
  warn: (peer: string) => void,
): (request: IncomingMessage) => void {
  const listed = blockListOf(trustedProxies)
  const suspects = blockListOf(privateNetworks)
  // Through a listed proxy every request has the header: each connection is judged once.
  const judged = new WeakSet<object>()
  let hasWarned = false
  return ({ headers, socket }) => {
    if (hasWarned || judged.has(socket) || !isForwarded(headers)) return
    judged.add(socket)
    const peer = socket.remoteAddress?.split('%', 1)[0]
    if (peer === undefined || contains(listed, peer) || !contains(suspects, peer)) return
    hasWarned = true
    warn(peer)
  }
}

function isForwarded(headers: IncomingMessage['headers']): boolean {
  return (
    headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined || headers['x-real-ip'] !== undefined
  )
}

const familyOf = (address: string) => (isIPv4(address) ? 'ipv4' : 'ipv6')

const contains = (list: BlockList, address: string): boolean => list.check(address, familyOf(address))

function blockListOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [network = '', bits] = cidr.split('/')
    list.addSubnet(network, Number(bits), familyOf(network))
  }
  return list
}
