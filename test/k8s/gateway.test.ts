import { deepStrictEqual, notStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { listMetrics } from '../../plugins/metrics.ts'
import { startProbeThread } from '../../src/probe/probe-thread.ts'
import { VitalSigns } from '../../src/probe/vital-signs.ts'
import { boundedFetch } from '../support/bounded-fetch.ts'
import { environmentOf, gatewayOf } from './gateway.ts'
import { builds } from './kustomize.ts'
import { type Manifest, named, ofKind, selects, workloads } from './manifest.ts'

const folders = ['k8s/base', 'k8s/overlays/development', 'k8s/overlays/production'] as const

const templates = (manifests: readonly Manifest[]) => workloads(manifests).map(({ spec }) => spec.template)

/** The components of the pods that a selector selects. */
const selected = (manifests: readonly Manifest[], selector: Parameters<typeof selects>[0]) =>
  templates(manifests)
    .map(({ metadata }) => metadata.labels)
    .filter(labels => selects(selector, labels))
    .map(labels => labels['app.kubernetes.io/component'] ?? labels['app.kubernetes.io/name'])

for (const folder of folders) {
  const manifests = builds[folder]?.manifests ?? []
  const { workload, pod, container } = gatewayOf(manifests)
  const environment = environmentOf(manifests)

  describe(`O06 ${folder}`, () => {
    test('every port is the one that Weir is told', () => {
      const ports = Object.fromEntries((container.ports ?? []).map(({ name, containerPort }) => [name, containerPort]))
      deepStrictEqual(ports, {
        http: Number(environment['PORT']),
        internal: Number(environment['INTERNAL_PORT']),
        probe: Number(environment['PROBE_PORT']),
      })
      // On loopback neither the kubelet nor Prometheus could reach it.
      strictEqual(environment['INTERNAL_HOST'], '0.0.0.0')
    })

    test('probes ask the thread that answers also while the main one is blocked', () => {
      deepStrictEqual(container.startupProbe?.httpGet, { path: '/health/live', port: 'probe' })
      deepStrictEqual(container.livenessProbe?.httpGet, { path: '/health/live', port: 'probe' })
      deepStrictEqual(container.readinessProbe?.httpGet, { path: '/health/ready', port: 'probe' })
    })

    test('the disruption budget is of its pods, and leaves some', () => {
      const { spec } = named(manifests, 'PodDisruptionBudget', 'weir')
      deepStrictEqual(selected(manifests, spec.selector), ['gateway'])
      strictEqual(spec.maxUnavailable, 1)
    })

    test('it is spread over zones and nodes', () => {
      const spread = pod.topologySpreadConstraints ?? []
      deepStrictEqual(
        spread.map(({ topologyKey }) => topologyKey),
        ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'],
      )
      for (const { labelSelector } of spread) deepStrictEqual(selected(manifests, labelSelector), ['gateway'])
    })

    test('Services have pods, and lead to ports of theirs', () => {
      for (const { metadata, spec } of ofKind(manifests, 'Service')) {
        const met = templates(manifests).filter(({ metadata: { labels } }) =>
          selects({ matchLabels: spec.selector }, labels),
        )
        strictEqual(met.length, 1, metadata.name)
        const names = met.flatMap(({ spec: { containers } }) =>
          containers.flatMap(({ ports = [] }) => ports.map(({ name }) => name)),
        )
        for (const { targetPort } of spec.ports)
          ok(names.includes(String(targetPort)), `${metadata.name}: ${targetPort}`)
        strictEqual(spec.type, undefined, 'only an Ingress leads in from outside')
      }
      strictEqual(workload.spec.serviceName, 'weir-headless')
      strictEqual(named(manifests, 'Service', 'weir-headless').spec.clusterIP, 'None')
    })

    test('the Ingress leads to the public port, by a Service that has no other', () => {
      const { spec } = named(manifests, 'Ingress', 'weir')
      for (const { backend } of spec.rules.flatMap(({ http }) => http.paths)) {
        const service = named(manifests, 'Service', backend.service.name)
        deepStrictEqual(
          service.spec.ports.map(({ name, targetPort }) => ({ name, targetPort })),
          [{ name: backend.service.port.name, targetPort: 'http' }],
        )
      }
    })

    test('what it leaves behind is kept', () => {
      deepStrictEqual(workload.spec.persistentVolumeClaimRetentionPolicy, {
        whenDeleted: 'Retain',
        whenScaled: 'Retain',
      })
    })
  })
}

for (const folder of ['k8s/base', 'k8s/overlays/production'] as const) {
  const manifests = builds[folder]?.manifests ?? []

  test(`${folder}: the autoscaler goes by CPU and by a gauge that Weir has, and nobody contradicts it`, async () => {
    const { spec } = named(manifests, 'HorizontalPodAutoscaler', 'weir')
    const { workload } = gatewayOf(manifests)
    deepStrictEqual(spec.scaleTargetRef, {
      apiVersion: workload.apiVersion,
      kind: workload.kind,
      name: workload.metadata.name,
    })
    strictEqual(workload.spec.replicas, undefined)
    ok(spec.minReplicas >= 2 && spec.minReplicas < spec.maxReplicas)
    strictEqual(environmentOf(manifests)['WEIR_REPLICAS'], String(spec.minReplicas))
    deepStrictEqual(
      spec.metrics.map(({ resource, pods }) => resource?.name ?? pods?.metric.name),
      ['cpu', 'weir_streams_running'],
    )
    const metric = (await listMetrics()).find(({ name }) => name === 'weir_streams_running')
    strictEqual(metric?.type, 'gauge')
  })
}

test('k8s/overlays/development: there is one replica, and it knows that', () => {
  const manifests = builds['k8s/overlays/development']?.manifests ?? []
  strictEqual(ofKind(manifests, 'HorizontalPodAutoscaler').length, 0)
  strictEqual(gatewayOf(manifests).workload.spec.replicas, undefined)
  strictEqual(environmentOf(manifests)['WEIR_REPLICAS'], '1')
})

test('k8s/overlays/production: Prometheus asks every pod at its internal port', () => {
  const manifests = builds['k8s/overlays/production']?.manifests ?? []
  const { spec } = named(manifests, 'ServiceMonitor', 'weir')
  const services = ofKind(manifests, 'Service').filter(({ metadata }) => selects(spec.selector, metadata.labels))
  deepStrictEqual(
    services.map(({ metadata }) => metadata.name),
    ['weir-headless'],
  )
  for (const { port, path } of spec.endpoints) {
    strictEqual(path, '/metrics')
    strictEqual(services[0]?.spec.ports.find(({ name }) => name === port)?.targetPort, 'internal')
  }
})

test('k8s/overlays/production: the job is called as alerts and panels look for it', () => {
  const manifests = builds['k8s/overlays/production']?.manifests ?? []
  const { spec } = named(manifests, 'ServiceMonitor', 'weir')
  const services = ofKind(manifests, 'Service').filter(({ metadata }) => selects(spec.selector, metadata.labels))
  // Without `jobLabel` it is the name of the Service.
  const jobs = services.map(({ metadata: { name, labels } }) => labels?.[spec.jobLabel ?? ''] ?? name)
  const alerts = readFileSync(new URL('../../monitoring/alerts.yml', import.meta.url), 'utf8')
  const asked = new Set(Array.from(alerts.matchAll(/\bup\{job="([^"]+)"\}/g), ([, job]) => job))
  deepStrictEqual(jobs, [...asked])
})

test('k8s/overlays/production: callers come by TLS', () => {
  const { spec } = named(builds['k8s/overlays/production']?.manifests ?? [], 'Ingress', 'weir')
  deepStrictEqual(
    spec.tls?.flatMap(({ hosts }) => hosts),
    spec.rules.map(({ host }) => host),
  )
})

test('the thread of the probes knows what the manifests ask it for', async t => {
  const { memory } = new VitalSigns()
  const thread = await startProbeThread({ memory, host: '127.0.0.1', port: 0 }, () => undefined)
  t.after(() => thread.close())
  const { container } = gatewayOf(builds['k8s/base']?.manifests ?? [])
  for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
    const { status } = await boundedFetch(`${thread.url}${probe?.httpGet?.path}`)
    notStrictEqual(status, 404)
  }
})
