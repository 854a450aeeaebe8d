/** nginx and HAProxy as they are shipped in deploy/, before replicas of the test. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { onEnd } from './cleanup.ts'
import { type Daemon, findFreePort, startDaemon } from './daemon.ts'
import { type Found, findPrograms } from './debian.ts'

export interface Balancer {
  readonly kind: 'nginx' | 'haproxy'
  readonly url: string
  /** Where it tells one's own machines how it is. */
  readonly statusUrl: string
  readonly daemon: Daemon
  /** One object for each request that has been answered so far. */
  accessLog(): Record<string, unknown>[]
  /** The end of what it said besides, for the message of a test that fails. */
  complaints(): string
}

export interface Behind {
  /** Where callers' requests go. */
  readonly port: number
  /** Where /health/ready is asked for; only HAProxy does so. */
  readonly probePort: number
}

export interface BalancerOptions {
  /** PEM files of TLS, which is served beside plain HTTP, at this port. */
  readonly tls?: { readonly port: number; readonly certificate: string; readonly key: string }
}

/** Of the repository. */
export const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url))

const findNginx = () =>
  findPrograms({
    name: 'nginx',
    beside: ['libpcre2-8-0', 'libssl3'],
    programs: ['nginx'],
    at: 'usr/sbin',
    remedy:
      'The tests need a real nginx 1.22 or newer: install nginx (Debian: apt-get install nginx, macOS: brew install nginx).',
  })

const findHaproxy = () =>
  findPrograms({
    name: 'haproxy',
    beside: ['libpcre2-8-0', 'libssl3', 'liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1'],
    programs: ['haproxy'],
    at: 'usr/sbin',
    remedy:
      'The tests need a real HAProxy 2.6 or newer: install haproxy (Debian: apt-get install haproxy, macOS: brew install haproxy).',
  })

const librariesOf = ({ libraries }: Found<string>): Record<string, string> =>
  libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }

/** What its official image does with a template: names that are in the environment are filled in, all others stay. */
function fillIn(template: string, environment: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\$\{(\w+)\}|\$(\w+)/g, (whole, braced, bare) => environment[braced ?? bare] ?? whole)
}

/** The shipped template names two replicas, so that many there are. */
export async function startNginx(
  t: TestContext,
  [first, second]: readonly [Behind, Behind],
  { tls }: BalancerOptions = {},
): Promise<Balancer> {
  const found = await findNginx()
  const folder = mkdtempSync(join(tmpdir(), 'weir-test-nginx-'))
  const statusPort = await findFreePort()
  const log = join(folder, 'access.log')
  const put = (template: string, file: string, environment: Readonly<Record<string, string>>) =>
    writeFileSync(join(folder, file), fillIn(readFileSync(join(deploy, 'nginx', template), 'utf8'), environment))
  mkdirSync(join(folder, 'conf.d/tls'), { recursive: true })
  put('nginx.conf', 'nginx.conf', {})
  const configure = (port: number) => {
    put('templates/weir.conf.template', 'conf.d/weir.conf', {
      WEIR_1: `127.0.0.1:${first.port}`,
      WEIR_2: `127.0.0.1:${second.port}`,
      NGINX_LISTEN: `127.0.0.1:${port}`,
      NGINX_STATUS: `127.0.0.1:${statusPort}`,
      NGINX_ACCESS_LOG: log,
    })
    if (tls === undefined) return
    put('tls/tls.conf.template', 'conf.d/tls/tls.conf', {
      NGINX_TLS_LISTEN: `127.0.0.1:${tls.port}`,
      NGINX_TLS_CERT: tls.certificate,
      NGINX_TLS_KEY: tls.key,
    })
  }
  const daemon = await startDaemon({
    name: 'nginx',
    folder,
    command: found.programs.nginx,
    args: port => {
      configure(port)
      // At the level of the file it says nothing when it has started.
      const global = `daemon off; pid ${join(folder, 'nginx.pid')}; error_log stderr notice;`
      return ['-c', join(folder, 'nginx.conf'), '-p', folder, '-e', 'stderr', '-g', global]
    },
    readyText: 'start worker process',
    stopSignal: 'SIGQUIT',
    url: port => `http://127.0.0.1:${port}`,
    env: librariesOf(found),
  })
  onEnd(t, () => daemon.remove())
  const output = keepOutput(daemon)
  return {
    kind: 'nginx',
    url: daemon.url,
    statusUrl: `http://127.0.0.1:${statusPort}/status`,
    daemon,
    accessLog: () => parseLines(readFileSync(log, 'utf8')),
    complaints: () => complaintsIn(output()),
  }
}

/** Two to four replicas. */
export async function startHaproxy(
  t: TestContext,
  replicas: readonly Behind[],
  { tls }: BalancerOptions = {},
): Promise<Balancer> {
  const found = await findHaproxy()
  const metricsPort = await findFreePort()
  const environment: Record<string, string> = { HAPROXY_METRICS_BIND: `127.0.0.1:${metricsPort}` }
  for (const [index, { port, probePort }] of replicas.entries()) {
    environment[`WEIR_${index + 1}`] = `127.0.0.1:${port}`
    environment[`WEIR_${index + 1}_PROBE`] = String(probePort)
  }
  const folder = mkdtempSync(join(tmpdir(), 'weir-test-haproxy-'))
  if (tls !== undefined) {
    const pem = join(folder, 'weir.pem')
    writeFileSync(pem, [tls.certificate, tls.key].map(path => readFileSync(path, 'utf8')).join('\n'))
    Object.assign(environment, { HAPROXY_TLS_BIND: `127.0.0.1:${tls.port}`, HAPROXY_TLS_CERT: pem })
  }
  const daemon = await startDaemon({
    name: 'HAProxy',
    folder,
    command: 'env',
    args: port => [
      `HAPROXY_BIND=127.0.0.1:${port}`,
      ...[found.programs.haproxy, '-W', '-db', '-f', join(deploy, 'haproxy/haproxy.cfg')],
    ],
    readyText: 'Loading success',
    stopSignal: 'SIGUSR1',
    url: port => `http://127.0.0.1:${port}`,
    env: { ...librariesOf(found), ...environment },
  })
  onEnd(t, () => daemon.remove())
  const output = keepOutput(daemon)
  return {
    kind: 'haproxy',
    url: daemon.url,
    statusUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    daemon,
    accessLog: () => parseLines(output()),
    complaints: () => complaintsIn(output()),
  }
}

function keepOutput(daemon: Daemon): () => string {
  let output = ''
  daemon.onOutput(text => {
    output += text
  })
  return () => output
}

const complaintsIn = (output: string): string =>
  output
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('{'))
    .slice(-50)
    .join('\n')

/** Those that are whole and JSON. */
function parseLines(text: string): Record<string, unknown>[] {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines.filter(line => line.startsWith('{')).map(line => JSON.parse(line) as Record<string, unknown>)
}
