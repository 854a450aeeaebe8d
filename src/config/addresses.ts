/** The addresses of weir.yaml: where Weir listens, whom it trusts, and what it talks to. */
import { isIP, isIPv4 } from 'node:net'
import { stagesOf } from '../domain/stop-stages.ts'
import type { Findings } from './findings.ts'
import { httpUrlFault, withoutV1 } from './http-url.ts'
import type { Complaint } from './problem.ts'
import type { Draft } from './references.ts'

export function checkServer({ server }: Draft, findings: Findings): void {
  for (const key of ['host', 'internalHost'] as const) {
    const host = server?.[key]
    if (host === undefined || isHost(host)) continue
    const problem = 'This is neither an IP address nor a host name.'
    findings.problem(['server', key], { problem, fix: 'Write an address without port, such as 127.0.0.1 or ::1.' })
  }
  checkPorts(server, findings)
  checkDrain(server, findings)
  for (const [index, cidr] of (server?.trustedProxies ?? []).entries()) {
    const path = ['server', 'trustedProxies', index]
    const fault = cidrFault(cidr)
    if (fault) findings.problem(path, fault)
    else if (cidr.endsWith('/0')) findings.warn(path, 'trusts everybody: any caller can claim any address')
  }
  for (const [index, origin] of (server?.corsOrigins ?? []).entries()) {
    if (origin === '*' || URL.parse(origin)?.origin === origin) continue
    findings.problem(['server', 'corsOrigins', index], {
      problem: 'This is no origin.',
      fix: 'Write scheme and host without a path or slash at the end, such as https://app.example.com, or "*".',
    })
  }
}

function checkPorts(server: Draft['server'], findings: Findings): void {
  const taken = new Map([[server?.port, 'server.port']])
  for (const key of ['internalPort', 'probePort'] as const) {
    const port = server?.[key]
    if (port === undefined || port === 0) continue
    const other = taken.get(port)
    if (other !== undefined) {
      const complaint = { problem: `It is the same as ${other}.`, fix: 'Give each listener a port of its own.' }
      findings.problem(['server', key], complaint)
    }
    taken.set(port, `server.${key}`)
  }
  if (server?.internalPort !== undefined || server?.probePort !== undefined) return
  if (findings.isWritten(['server', 'internalHost'])) {
    const reason = 'is not used, because neither server.internalPort nor server.probePort is set'
    findings.warn(['server', 'internalHost'], reason)
  }
}

function checkDrain(server: Draft['server'], findings: Findings): void {
  const { graceMs, minDrainMs } = server ?? {}
  if (graceMs === undefined || minDrainMs === undefined) return
  const { endingMs } = stagesOf(graceMs, minDrainMs)
  if (minDrainMs <= endingMs) return
  const problem = 'It is longer than what server.grace leaves before its error events.'
  const fix = `Write ${Math.floor(endingMs)}ms or less, or let server.grace be longer.`
  findings.problem(['server', 'minDrain'], { problem, fix })
}

function isHost(text: string): boolean {
  return (
    isIP(text) !== 0 ||
    /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/.test(text)
  )
}

function cidrFault(text: string): Complaint | undefined {
  const [address = '', bits, ...others] = text.split('/')
  const most = isIPv4(address) ? 32 : 128
  if (isIP(address) === 0 || others.length > 0) {
    return { problem: 'This is no CIDR.', fix: 'Write a network such as 10.0.0.0/8 or fd00::/8.' }
  }
  if (bits === undefined)
    return { problem: 'The CIDR has no length.', fix: `Write ${address}/${most} for one address.` }
  if (/^\d{1,3}$/.test(bits) && Number(bits) <= most) return undefined
  return {
    problem: `The length of the CIDR is not from 0 to ${most}.`,
    fix: `Write ${address}/${most} for one address.`,
  }
}

export function checkStores({ stores }: Draft, findings: Findings): void {
  const urls = [
    { key: 'databaseUrl', schemes: ['postgres:', 'postgresql:'], example: 'postgres://user:password@host:5432/weir' },
    { key: 'redisUrl', schemes: ['redis:', 'rediss:'], example: 'redis://:password@host:6379/0' },
  ] as const
  for (const { key, schemes, example } of urls) {
    const text = stores?.[key]
    if (text === undefined) continue
    const url = URL.parse(text)
    if (url !== null && url.hostname !== '' && schemes.some(scheme => scheme === url.protocol)) continue
    // The text stays out of it: it holds a password.
    const problem = `This is no ${schemes[0]}// URL.`
    findings.problem(['stores', key], { problem, fix: `Write ${example}; encode special characters of a password.` })
  }
}

export function checkBackends({ backends }: Draft, findings: Findings): void {
  const seen = new Map<string, string>()
  for (const [name, backend] of Object.entries(backends ?? {})) {
    if (backend?.url === undefined) continue
    const path = ['backends', name, 'url']
    const url = URL.parse(backend.url)
    const fault = url === null ? httpUrlFault(backend.url) : urlFault(url)
    if (fault) findings.problem(path, fault)
    if (url === null || fault) continue
    const first = seen.get(url.href)
    if (first !== undefined) findings.warn(path, `is the address of backends.${first} too: its slots count twice`)
    else seen.set(url.href, name)
  }
}

function urlFault(url: URL): Complaint | undefined {
  if (url.username !== '' || url.password !== '') {
    return { problem: 'The URL has a login in it.', fix: 'Leave it out; a key goes into apiKey.' }
  }
  if (/\/v1\/?$/.test(url.pathname)) {
    return { problem: 'The URL ends in /v1, which Weir adds by itself.', fix: `Write ${withoutV1(url)}.` }
  }
  return undefined
}

/** Whether some backend is asked for its models, so that names may exist which nobody has written. */
export function hasDiscovery({ backends }: Draft): boolean {
  return Object.values(backends ?? {}).some(backend => backend?.discover === true)
}
