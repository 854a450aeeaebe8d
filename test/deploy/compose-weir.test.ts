import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parse } from 'yaml'
import { readImage } from '../../scripts/image-content.ts'
import { environmentNames } from '../../src/config/environment.ts'
import { loadConfig } from '../../src/config.ts'
import { storesCloseMs } from '../../src/stop.ts'
import { root } from '../architecture/source-file.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { compose, mountsOf, readCompose, replicas, type Service, serviceNamed } from './compose.ts'

const image = readImage(root).stage
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const reserveMs = 5000

/** What a replica's program would read: the image's variables, the service's, and files below a folder of the test's own. */
function load(
  t: TestContext,
  { environment = {}, ...service }: Service,
  secrets: Readonly<Record<string, { file: string }>>,
) {
  const inside = makeTempDir(t)
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(inside, path)), { recursive: true })
    writeFileSync(join(inside, path), text)
  }
  for (const name of service.secrets ?? [])
    put(`/run/secrets/${name}`, readFileSync(join(root, secrets[name]?.file ?? ''), 'utf8'))
  for (const { from, to } of mountsOf(service)) {
    for (const name of readdirSync(join(root, from))) put(join(to, name), read(join(from, name)))
  }
  const moved = (text: string) => text.replace(/^\/(run|etc)\//, `${inside}/$1/`)
  const env = Object.entries({ ...image.env, ...environment }).map(([name, value]) => [name, moved(value)])
  return loadConfig({ argv: [], env: Object.fromEntries(env), cwd: inside })
}

const loaded = (t: TestContext, [, service]: (typeof replicas)[number], secrets = compose.secrets) =>
  load(t, service, secrets)

test('O06 there are two replicas, alike but for their volumes, and each knows how many there are', () => {
  deepStrictEqual(
    replicas.map(([name]) => name),
    ['weir-1', 'weir-2'],
  )
  const [[, first], [, second]] = replicas as [(typeof replicas)[number], (typeof replicas)[number]]
  deepStrictEqual({ ...first, volumes: [] }, { ...second, volumes: [] })
  const own = replicas.map(([, { volumes = [] }]) => volumes.find(volume => volume.endsWith(':/var/lib/weir')))
  deepStrictEqual(own, ['weir-1:/var/lib/weir', 'weir-2:/var/lib/weir'])
  strictEqual(first.environment?.['WEIR_REPLICAS'], '2')
})

for (const replica of replicas) {
  const [name, service] = replica

  test(`O06 ${name}: every variable is obeyed, and its configuration is taken as it is, without a warning`, t => {
    const known = environmentNames()
    deepStrictEqual(
      Object.keys(service.environment ?? {}).filter(variable => !known.includes(variable)),
      [],
    )
    const { config, warnings, file } = loaded(t, replica)
    deepStrictEqual(warnings, [])
    ok(file?.endsWith('/etc/weir/weir.yaml'))
    ok(config.stores.databaseUrl && config.stores.redisUrl && config.auth.adminKey && config.auth.keyPepper)
    strictEqual(config.server.host, '0.0.0.0')
    deepStrictEqual(Object.keys(config.models), ['gemma-3-1b', 'embeddinggemma-300m'])
  })

  test(`O06 ${name}: it believes the balancers' network about addresses, and no other`, t => {
    const { trustedProxies } = loaded(t, replica).config.server
    deepStrictEqual(trustedProxies, [compose.networks['edge']?.ipam?.config[0]?.subnet])
    ok(Number(trustedProxies[0]?.split('/')[1]) >= 16)
  })

  test(`O06 ${name}: it is killed only after all that its stop may take`, t => {
    const [, seconds] = /^(\d+)s$/.exec(service.stop_grace_period ?? '') ?? []
    ok(Number(seconds) * 1000 >= loaded(t, replica).config.server.graceMs + storesCloseMs + reserveMs)
  })

  test(`O06 ${name}: what it goes to is there, on a network of its own, by the name that it serves`, t => {
    const { config } = loaded(t, replica)
    const urls = [
      config.stores.databaseUrl,
      config.stores.redisUrl,
      ...Object.values(config.backends).map(({ url }) => url),
    ]
    for (const url of urls) {
      const other = serviceNamed(new URL(url ?? '').hostname)
      ok(
        other.networks.some(network => service.networks.includes(network)),
        String(url),
      )
    }
    for (const [model, { targets }] of Object.entries(config.models)) {
      const { command = [] } = serviceNamed(targets[0]?.backend ?? '')
      strictEqual(command[command.indexOf('--alias') + 1], model)
    }
  })
}

test('O06 the database is brought to the schema of the same version, by the same configuration, before a replica starts', t => {
  const migrate = serviceNamed('migrate')
  deepStrictEqual(migrate.command, ['migrate'])
  deepStrictEqual(
    [migrate.image, migrate.environment],
    [serviceNamed('weir-1').image, serviceNamed('weir-1').environment],
  )
  deepStrictEqual(load(t, migrate, compose.secrets).warnings, [])
})

test('O06 what nginx and HAProxy read from the environment is given', () => {
  const templates = read('deploy/nginx/templates/weir.conf.template')
  const wanted = new Set([...templates.matchAll(/\$\{([A-Z][A-Z0-9_]*)\}/g)].map(([, name = '']) => name))
  deepStrictEqual(new Set(Object.keys(serviceNamed('nginx').environment ?? {})), wanted)
  const haproxy = read('deploy/haproxy/haproxy.cfg')
  for (const name of Object.keys(serviceNamed('haproxy').environment ?? {})) ok(haproxy.includes(`\${${name}-`), name)
})

test('O06 the configuration with a second model is taken as well, and needs what its profile starts', t => {
  const given = readCompose({ CONFIG_FILE: 'second-model.yaml' })
  const { config, warnings } = load(t, given.services['weir-1'] as Service, given.secrets)
  deepStrictEqual(warnings, [])
  deepStrictEqual(config.models['qwen3-0.6b']?.targets[0]?.backend, 'llama-server-2')
  ok(serviceNamed('llama-server-2').command?.includes('qwen3-0.6b'))
})

test('O06 balancers and Prometheus find each replica at the ports of the image', () => {
  const { PORT, INTERNAL_PORT, PROBE_PORT } = image.env
  const addresses = replicas.map(([name]) => `${name}:${PORT}`)
  for (const balancer of ['nginx', 'haproxy']) {
    const { environment = {} } = serviceNamed(balancer)
    deepStrictEqual([environment['WEIR_1'], environment['WEIR_2']], addresses, balancer)
  }
  const { environment = {} } = serviceNamed('haproxy')
  deepStrictEqual([environment['WEIR_1_PROBE'], environment['WEIR_2_PROBE']], [PROBE_PORT, PROBE_PORT])
  const { scrape_configs: jobs } = parse(read('deploy/compose/prometheus/prometheus.yml')) as {
    scrape_configs: readonly { job_name: string; static_configs?: readonly { targets: readonly string[] }[] }[]
  }
  const targets = jobs.find(({ job_name }) => job_name === 'weir')?.static_configs?.flatMap(({ targets }) => targets)
  deepStrictEqual(
    targets,
    replicas.map(([name]) => `${name}:${INTERNAL_PORT}`),
  )
})

test('O06 what watches is configured as monitoring/ has it, but for addresses and who is told', () => {
  const both = (path: string, example: string) => [path, `monitoring/${example}`].map(one => parse(read(one)))
  const [prometheus, prometheusExample] = both('deploy/compose/prometheus/prometheus.yml', 'prometheus.yml')
  deepStrictEqual(prometheus.global, prometheusExample.global)
  deepStrictEqual(prometheus.rule_files, prometheusExample.rule_files)
  const [alerts, alertsExample] = both('deploy/compose/prometheus/alertmanager.yml', 'alertmanager.yml')
  deepStrictEqual(alerts.route, alertsExample.route)
  deepStrictEqual(alerts.inhibit_rules, alertsExample.inhibit_rules)
  const names = (receivers: readonly { name: string }[]) => receivers.map(({ name }) => name)
  deepStrictEqual(names(alerts.receivers), names(alertsExample.receivers))
  const place = 'grafana/provisioning/datasources/prometheus.yaml'
  const [grafana, grafanaExample] = both('deploy/compose/grafana/prometheus.yaml', place)
  const moved = { ...grafanaExample.datasources[0], url: 'http://prometheus:9090' }
  deepStrictEqual(grafana.datasources, [moved])
})

test('O06 secrets are files, and `make-secrets` makes others that fit each other and replaces none', t => {
  for (const [name, { environment = {} }] of Object.entries(compose.services)) {
    const open = Object.keys(environment).filter(variable =>
      /PASSWORD|PEPPER|_KEY|DATABASE_URL|REDIS_URL/.test(variable),
    )
    for (const variable of open) ok(variable.endsWith('_FILE'), `${name}: ${variable}`)
  }
  const folder = join(makeTempDir(t), 'secrets')
  const make = () => spawnSync(process.execPath, [join(root, 'scripts/make-secrets.js'), folder], { encoding: 'utf8' })
  const made = make()
  strictEqual(made.status, 0, made.stderr)
  deepStrictEqual(new Set(readdirSync(folder)), new Set(Object.keys(compose.secrets)))
  for (const name of readdirSync(folder)) strictEqual(statSync(join(folder, name)).mode & 0o777, 0o444, name)
  const secretNamed = (name: string) => readFileSync(join(folder, name), 'utf8').trimEnd()
  const all = readdirSync(folder).map(secretNamed).join('\n')
  ok(!all.includes('everybody'))
  ok(secretNamed('redis-users').includes(` >${new URL(secretNamed('redis-url')).password} ~weir:* `))
  strictEqual(new URL(secretNamed('database-url')).password, secretNamed('database-password'))
  const before = all
  const again = make()
  strictEqual(again.status, 1)
  ok(again.stderr.includes('already has admin-key'), again.stderr)
  strictEqual(readdirSync(folder).map(secretNamed).join('\n'), before)
})

test('O06 the stores have the logins that Weir is told', () => {
  const known = (name: string) => read(compose.secrets[name]?.file ?? '').trimEnd()
  const { environment = {} } = serviceNamed('postgres')
  const database = new URL(known('database-url'))
  deepStrictEqual(
    [database.username, database.password, database.pathname.slice(1)],
    [environment['POSTGRES_USER'], known('database-password'), environment['POSTGRES_DB']],
  )
  strictEqual(known('redis-users'), read('k8s/overlays/development/redis-users.acl').trimEnd())
  const redis = new URL(known('redis-url'))
  ok(known('redis-users').includes(`user ${redis.username} on >${redis.password} `))
})
