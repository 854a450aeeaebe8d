import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DCLinter } from 'dclint'
import { root } from '../architecture/source-file.ts'
import { compose, composeVariables, daemons, mountsOf, serviceNamed, services } from './compose.ts'

/** Anchors stand where they are first needed, and whom a port is open to is checked here: the linter reads no variables. */
const rules = {
  'service-keys-order': 0,
  'top-level-properties-order': 0,
  'no-unbound-port-interfaces': 0,
  'require-quotes-in-ports': [2, { quoteType: 'double' }],
} satisfies ConstructorParameters<typeof DCLinter>[0]['rules']

interface Complaint {
  readonly line: number
  readonly message: string
}

test('O06 the linter of compose files has nothing against it', () => {
  const linter = new DCLinter({ rules, quiet: true, debug: false, exclude: [] })
  const results: readonly { readonly messages: readonly Complaint[] }[] = linter.lintFiles(
    [join(root, 'compose.yaml')],
    false,
  )
  strictEqual(results.length, 1)
  deepStrictEqual(
    results.flatMap(({ messages }) => messages.map(({ line, message }) => `${line}: ${message}`)),
    [],
  )
})

test('O06 .env.example has every variable with the default that holds without it, and no other', () => {
  const lines = readFileSync(join(root, '.env.example'), 'utf8').split('\n')
  const pairs = lines.filter(line => line !== '' && !line.startsWith('#')).map(line => line.split('='))
  deepStrictEqual(Object.fromEntries(pairs), Object.fromEntries(composeVariables))
  strictEqual(new Set(composeVariables.map(pair => pair.join('='))).size, pairs.length, 'each has one default')
})

test('O06 `docker compose up` starts all of it; profiles have only what is beyond', () => {
  const beyond = services.flatMap(([name, { profiles }]) => (profiles ? [[name, profiles.join()]] : []))
  deepStrictEqual(beyond, [
    ['haproxy', 'haproxy'],
    ['llama-server-2', 'second-model'],
  ])
  const plain = services.map(([name]) => name).filter(name => !beyond.some(([other]) => other === name))
  deepStrictEqual(plain, [
    ...['alertmanager', 'grafana', 'llama-embeddings', 'llama-server', 'migrate', 'nginx'],
    ...['postgres', 'prometheus', 'redis', 'weir-1', 'weir-2'],
  ])
})

test('O06 what is mounted is there', () => {
  for (const [name, service] of services) {
    for (const { from, mode } of mountsOf(service)) {
      ok(existsSync(join(root, from)), `${name}: ${from}`)
      strictEqual(mode, 'ro', from)
    }
    for (const volume of (service.volumes ?? []).filter(volume => !volume.startsWith('.'))) {
      ok((volume.split(':')[0] ?? '') in compose.volumes, volume)
    }
    for (const secret of service.secrets ?? []) ok(secret in compose.secrets, secret)
    for (const network of service.networks) ok(network in compose.networks, network)
  }
  for (const { file } of Object.values(compose.secrets)) {
    // Others read it than its owner: users of containers.
    strictEqual(statSync(join(root, file)).mode & 0o004, 0o004, file)
  }
})

test('O06 every service has bounds on CPU, memory, processes and logs, and may do nothing beyond', () => {
  for (const [name, service] of services) {
    const { cpus, memory, pids } = service.deploy?.resources.limits ?? {}
    ok(Number(cpus) > 0 && /^\d+[MG]$/.test(memory ?? '') && (pids ?? 0) > 0, name)
    ok(service.logging?.options['max-size'] && service.logging.options['max-file'], name)
    strictEqual(service.read_only, true, name)
    deepStrictEqual(service.cap_drop, ['ALL'], name)
    deepStrictEqual([service.cap_add, service.privileged], [undefined, undefined], name)
    deepStrictEqual(service.security_opt, ['no-new-privileges:true'], name)
    for (const tmpfs of service.tmpfs ?? []) ok(/:size=\d+m/.test(tmpfs), `${name}: ${tmpfs} has no bound`)
  }
})

test('O06 what nginx takes for its connections fits into its container, however many cores the machine has', () => {
  const text = readFileSync(join(root, 'deploy/nginx/nginx.conf'), 'utf8')
  const numberOf = (name: string) => Number(new RegExp(`^\\s*${name} (\\d+);`, 'm').exec(text)?.[1])
  // 7 MiB a worker were measured with 16,384 of them.
  const mebibytes = (numberOf('worker_processes') * numberOf('worker_connections') * 448) / 2 ** 20
  const { memory, pids } = serviceNamed('nginx').deploy?.resources.limits ?? {}
  strictEqual(memory, '256M')
  ok(mebibytes < 64, `${mebibytes} MiB`)
  ok(numberOf('worker_processes') + 10 < (pids ?? 0))
})

function conditionFor(name: string): string {
  if (name === 'migrate') return 'service_completed_successfully'
  // A model may take minutes to be fetched, and Weir says so meanwhile.
  return name.startsWith('llama-') ? 'service_started' : 'service_healthy'
}

test('O06 every service says whether it is well, and who needs another waits until that one is', () => {
  for (const [name, { healthcheck }] of daemons) ok((healthcheck?.test?.length ?? 0) > 1, name)
  for (const [name, { depends_on = {} }] of services) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      ok(other in compose.services, other)
      strictEqual(condition, conditionFor(other), `${name}: ${other}`)
    }
  }
  const needs = (name: string) => Object.keys(serviceNamed(name).depends_on ?? {})
  deepStrictEqual(needs('nginx'), ['weir-1', 'weir-2'])
  deepStrictEqual(needs('haproxy'), ['weir-1', 'weir-2'])
  for (const name of needs('nginx')) {
    deepStrictEqual(needs(name), ['llama-embeddings', 'llama-server', 'migrate', 'postgres', 'redis'])
  }
})

test('O06 callers come through a balancer, what watches is for this machine, and nobody reaches the rest', () => {
  const published = services.flatMap(([name, { ports = [] }]) => ports.map(port => [name, port] as const))
  for (const [name, port] of published) ok(port.startsWith('127.0.0.1:'), `${name}: ${port}`)
  deepStrictEqual(
    published.map(([name]) => name),
    ['alertmanager', 'grafana', 'haproxy', 'nginx', 'prometheus'],
  )
  const elsewhere = composeVariables.filter(([name]) => name === 'BIND_ADDRESS')
  strictEqual(elsewhere.length, 2, 'only the balancers may be opened to others')
  const on = (network: string) =>
    services.filter(([, { networks }]) => networks.includes(network)).map(([name]) => name)
  deepStrictEqual(on('edge'), ['haproxy', 'nginx', 'weir-1', 'weir-2'])
  deepStrictEqual(on('stores'), ['migrate', 'postgres', 'redis', 'weir-1', 'weir-2'])
  strictEqual(compose.networks['stores']?.internal, true)
})

test('O06 inference servers run several requests at once, tell how they are, and one is for embeddings', () => {
  const servers = services.filter(([, { image }]) => image === 'ghcr.io/ggml-org/llama.cpp:server')
  strictEqual(servers.length, 3)
  for (const [name, { command = [], deploy }] of servers) {
    // By default one for each core of the machine, which then wait for each other within what the container may use.
    strictEqual(command[command.indexOf('--threads') + 1], deploy?.resources.limits.cpus, name)
    for (const flag of ['-hf', '--alias', '--parallel', '--metrics']) ok(command.includes(flag), `${name}: ${flag}`)
    // Its default is to change.
    strictEqual(command[command.indexOf('--port') + 1], '8080', name)
    strictEqual(command.includes('--embeddings'), name === 'llama-embeddings', name)
  }
})
