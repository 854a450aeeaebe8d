import { deepStrictEqual, notStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { BlockList } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { environmentNames } from '../../src/config/environment.ts'
import { loadConfig } from '../../src/config.ts'
import { storesCloseMs } from '../../src/stop.ts'
import { root } from '../architecture/source-file.ts'
import { enter, environmentOf, gatewayOf, onlyContainer } from './gateway.ts'
import { builds } from './kustomize.ts'
import { type Manifest, named, ofKind, selects } from './manifest.ts'
import { quantityOf } from './quantity.ts'

const production = builds['k8s/overlays/production']?.manifests ?? []
const development = builds['k8s/overlays/development']?.manifests ?? []
const replay = builds['k8s/replay']?.manifests ?? []

const annotation = 'nginx.ingress.kubernetes.io'
const reserveMs = 5000

for (const [folder, manifests] of Object.entries({ development, production })) {
  const { workload, pod, container } = gatewayOf(manifests)

  describe(`O06 k8s/overlays/${folder}`, () => {
    test('every variable that is set is one that Weir obeys', () => {
      const known = environmentNames()
      deepStrictEqual(
        Object.keys(environmentOf(manifests)).filter(name => !known.includes(name)),
        [],
      )
    })

    test('Weir takes its configuration as it is, secrets included, and warns of nothing', t => {
      const { config, warnings, file } = load(t)
      deepStrictEqual(warnings, [])
      ok(file)
      ok(config.stores.databaseUrl)
      ok(config.stores.redisUrl)
      ok(config.auth.adminKey)
      ok(config.auth.keyPepper)
      ok(Object.keys(config.backends).length > 0)
      ok(Object.keys(config.models).length > 0)
      strictEqual(config.server.host, '0.0.0.0')
    })

    test('who comes through the Ingress is told apart, and not everybody is believed', t => {
      const { trustedProxies } = load(t).config.server
      ok(trustedProxies.length > 0)
      for (const range of trustedProxies) ok(Number(range.split('/')[1]) >= 8, range)
    })

    test('its data is on its own volume, which has room for a full ledger', t => {
      const { stores, ledger } = load(t).config
      const [claim, ...others] = workload.spec.volumeClaimTemplates ?? []
      strictEqual(others.length, 0)
      const mount = container.volumeMounts?.find(({ name }) => name === claim?.metadata.name)
      strictEqual(mount?.mountPath, stores.dataDir)
      notStrictEqual(mount?.readOnly, true)
      ok(quantityOf(claim?.spec.resources.requests.storage) > ledger.fullBytes + ledger.highFreeBytes)
    })

    test('it is killed only after all that its stop may take', t => {
      const { graceMs, minDrainMs } = load(t).config.server
      const preStopMs = (container.lifecycle?.preStop?.sleep?.seconds ?? 0) * 1000
      ok(preStopMs > 0, 'the Services still send it requests')
      const { periodSeconds = 10, failureThreshold = 3 } = container.readinessProbe ?? {}
      ok(minDrainMs >= (periodSeconds * failureThreshold + 1) * 1000, 'nobody has seen its readiness yet')
      ok((pod.terminationGracePeriodSeconds ?? 0) * 1000 >= preStopMs + graceMs + storesCloseMs + reserveMs)
    })

    test('the Ingress buffers nothing and waits for the longest answer, with the largest body', t => {
      const { server, backends } = load(t).config
      const { annotations = {} } = named(manifests, 'Ingress', 'weir').metadata
      for (const what of ['proxy-buffering', 'proxy-request-buffering']) {
        strictEqual(annotations[`${annotation}/${what}`], 'off')
      }
      const longestMs = Math.max(...Object.values(backends).map(({ timeouts }) => timeouts.totalMs))
      for (const what of ['proxy-read-timeout', 'proxy-send-timeout']) {
        ok(Number(annotations[`${annotation}/${what}`]) * 1000 >= longestMs, what)
      }
      // nginx writes MiB as m.
      const [, mebibytes] = /^(\d+)m$/.exec(annotations[`${annotation}/proxy-body-size`] ?? '') ?? []
      ok(Number(mebibytes) * 2 ** 20 >= server.maxBodyBytes)
      // A request that may have been begun must not be sent to another pod.
      strictEqual(annotations[`${annotation}/proxy-next-upstream`], 'error')
    })

    test('what it is told to go to is what the network lets it go to', t => {
      const { backends, stores } = load(t).config
      const urls = [stores.databaseUrl, stores.redisUrl, ...Object.values(backends).map(({ url }) => url)]
      for (const url of urls) ok(isOpen(manifests, new URL(url ?? '')), `no policy opens the way to ${url}`)
    })

    const load = (t: Parameters<typeof enter>[0]) => {
      const { root: cwd, env } = enter(t, { workload, pod, container }, manifests)
      return loadConfig({ argv: [], env, cwd })
    }
  })
}

/** Whether a policy lets the gateway go there: to a Service of these manifests, or to an address. */
function isOpen(manifests: readonly Manifest[], { hostname, port }: URL): boolean {
  const service = ofKind(manifests, 'Service').find(({ metadata }) => metadata.name === hostname)
  if (service && !service.spec.ports.some(each => String(each.port) === port)) return false
  const { labels } = gatewayOf(manifests).workload.spec.template.metadata
  const policies = ofKind(manifests, 'NetworkPolicy').filter(({ spec }) => selects(spec.podSelector, labels))
  return policies.some(({ spec }) =>
    (spec.egress ?? []).some(({ to = [], ports = [] }) => {
      if (!ports.some(each => String(each.port) === port)) return false
      return to.some(({ podSelector, ipBlock }) =>
        service ? podSelector?.matchLabels?.['app.kubernetes.io/name'] === hostname : isWithin(hostname, ipBlock?.cidr),
      )
    }),
  )
}

function isWithin(address: string, cidr = ''): boolean {
  const [network = '', prefix] = cidr.split('/')
  if (network === '') return false
  const list = new BlockList()
  list.addSubnet(network, Number(prefix))
  return list.check(address)
}

test('k8s/base: its weir.yaml is one', t => {
  const { data } = named(builds['k8s/base']?.manifests ?? [], 'ConfigMap', 'weir-config')
  deepStrictEqual(Object.keys(data), ['weir.yaml'])
  const { root: cwd, env } = enter(t, gatewayOf(production), [
    ...production.filter(({ kind, metadata }) => kind !== 'ConfigMap' || metadata.name !== 'weir-config'),
    named(builds['k8s/base']?.manifests ?? [], 'ConfigMap', 'weir-config'),
  ])
  deepStrictEqual(loadConfig({ argv: [], env, cwd }).warnings, [])
})

test('the replay loads the configuration of production, and looks where a replica keeps its ledger', t => {
  const gateway = onlyContainer(named(replay, 'Job', 'weir-replay'))
  const { container, pod } = gateway
  const known = environmentNames()
  ok((container.env ?? []).every(({ name }) => known.includes(name)))
  const { root: cwd, env } = enter(t, gateway, [...replay, ...production])
  const { config } = loadConfig({ argv: [], env, cwd })
  ok(config.stores.databaseUrl)
  deepStrictEqual(container.args, ['ledger', 'replay', '--dir', join(config.stores.dataDir, 'ledger')])
  // As a StatefulSet calls its claims.
  const claims = (gatewayOf(production).workload.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name)
  const [data] = pod.volumes?.flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []) ?? []
  ok(claims.some(name => data?.startsWith(`${name}-weir-`)))
})

for (const [folder, manifests] of Object.entries({ development, production })) {
  test(`k8s/overlays/${folder}: the migration has the database and the version of the replicas, which leave it the schema`, t => {
    const migration = onlyContainer(named(manifests, 'Job', 'weir-migration'))
    const gateway = gatewayOf(manifests)
    const known = environmentNames()
    ok((migration.container.env ?? []).every(({ name }) => known.includes(name)))
    deepStrictEqual(migration.container.args, ['migrate'])
    strictEqual(migration.container.image, gateway.container.image)
    const [own, theirs] = [migration, gateway].map(one => {
      const { root: cwd, env } = enter(t, one, manifests)
      const { stores } = loadConfig({ argv: [], env, cwd }).config
      return { ...stores, dataDir: '' }
    })
    deepStrictEqual([own?.databaseUrl, theirs?.migrate], [theirs?.databaseUrl, 'never'])
  })
}

test('the stand-in for Redis lets Weir do what README.md says, and nothing else', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const sentence = /\*\*The Redis user\*\* of Weir may do ([^.]*?), on `weir:\*`/s.exec(readme)?.[1] ?? ''
  const commands = [...sentence.matchAll(/`(\w+)`/g)].map(([, name = '']) => `+${name.toLowerCase()}`)
  ok(commands.length > 20)
  const users = named(development, 'Secret', 'redis').stringData['redis-users.acl'] ?? ''
  const [off, weir = ''] = users.trimEnd().split('\n')
  strictEqual(off, 'user default off')
  const url = new URL(named(development, 'Secret', 'weir').stringData['redis-url'] ?? '')
  const [user, name, on, password, ...rules] = weir.split(' ')
  deepStrictEqual([user, name, on, password], ['user', url.username, 'on', `>${url.password}`])
  deepStrictEqual(rules.slice(0, 3), ['~weir:*', '&weir:*', '-@all'])
  deepStrictEqual(new Set(rules.slice(3)), new Set(commands))
})

test('the stand-in for PostgreSQL has the login that Weir is told', () => {
  const url = new URL(named(development, 'Secret', 'weir').stringData['database-url'] ?? '')
  strictEqual(named(development, 'Secret', 'postgres').stringData['password'], url.password)
  const { container } = onlyContainer(named(development, 'Deployment', 'postgres'))
  const env = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]))
  deepStrictEqual([env['POSTGRES_USER'], env['POSTGRES_DB']], [url.username, url.pathname.slice(1)])
})
