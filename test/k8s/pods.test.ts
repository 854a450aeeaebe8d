import { deepStrictEqual, notStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { builds } from './kustomize.ts'
import { type Container, type Manifest, named, ofKind, type Probe, type Volume, workloads } from './manifest.ts'
import { quantityOf } from './quantity.ts'

/** What a manifest may refer to; the replay runs beside the overlay for production. */
function surroundings(folder: string): readonly Manifest[] {
  const others = folder === 'k8s/replay' ? ['k8s/overlays/production'] : []
  return [folder, ...others].flatMap(name => builds[name]?.manifests ?? [])
}

/** The names of Secrets, whoever makes them. */
const secretNames = (manifests: readonly Manifest[]) => [
  ...ofKind(manifests, 'Secret').map(({ metadata }) => metadata.name),
  ...ofKind(manifests, 'ExternalSecret').map(({ spec }) => spec.target.name),
]

const probesOf = ({ startupProbe, livenessProbe, readinessProbe }: Container) =>
  [startupProbe, livenessProbe, readinessProbe].filter(probe => probe !== undefined)

function insistOnProbe({ httpGet, tcpSocket, exec }: Probe, { ports = [] }: Container): void {
  const port = httpGet?.port ?? tcpSocket?.port
  if (port === undefined) ok(exec, 'it asks nothing')
  else
    ok(
      ports.some(({ name }) => name === port),
      `there is no port ${port}`,
    )
}

function insistOnVolume(volume: Volume, near: readonly Manifest[]): void {
  const { name, configMap, secret, persistentVolumeClaim, emptyDir, ...others } = volume
  deepStrictEqual(others, {}, 'nothing of the node')
  strictEqual([configMap, secret, persistentVolumeClaim, emptyDir].filter(Boolean).length, 1, name)
  if (configMap) named(near, 'ConfigMap', configMap.name)
  // 0440: the pod's group reads it, and nobody writes it.
  if (secret) strictEqual(secret.defaultMode, 0o440)
  if (secret && ofKind(near, 'Secret').length > 0) ok(secretNames(near).includes(secret.secretName))
  if (emptyDir) ok(emptyDir.sizeLimit, `${name} has no bound`)
}

for (const [folder, { manifests }] of Object.entries(builds)) {
  for (const workload of workloads(manifests)) {
    const { spec: pod } = workload.spec.template
    const all = [...(pod.initContainers ?? []), ...pod.containers]

    describe(`O06 ${folder}: ${workload.kind} ${workload.metadata.name}`, () => {
      test('is not root, and has nothing of the node and no way to more', () => {
        const { securityContext } = pod
        strictEqual(securityContext?.runAsNonRoot, true)
        for (const id of ['runAsUser', 'runAsGroup', 'fsGroup'] as const) ok((securityContext?.[id] ?? 0) > 0, id)
        strictEqual(securityContext?.seccompProfile?.type, 'RuntimeDefault')
        for (const host of ['hostNetwork', 'hostPID', 'hostIPC'] as const) notStrictEqual(pod[host], true, host)
        for (const { securityContext: own, ports = [] } of all) {
          // Nothing beside these: a container could be allowed again what its pod is not.
          deepStrictEqual(own, {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          })
          ok(ports.every(({ hostPort }) => hostPort === undefined))
        }
      })

      test('has no token of a service account, and no variables of Services', () => {
        strictEqual(pod.automountServiceAccountToken, false)
        strictEqual(pod.enableServiceLinks, false)
        if (pod.serviceAccountName === undefined) return
        const account = named(surroundings(folder), 'ServiceAccount', pod.serviceAccountName)
        strictEqual(account.automountServiceAccountToken, false)
      })

      test('has bounds on CPU and memory', () => {
        for (const { resources } of all) {
          for (const what of ['cpu', 'memory'] as const) {
            const limit = quantityOf(resources?.limits?.[what])
            const request = quantityOf(resources?.requests?.[what])
            ok(request > 0 && request <= limit, what)
          }
        }
      })

      test('is asked whether it lives and whether it is ready, at ports that it has', () => {
        for (const container of pod.containers) {
          for (const probe of probesOf(container)) insistOnProbe(probe, container)
          if (workload.kind === 'Job') continue
          ok(container.livenessProbe)
          ok(container.readinessProbe)
        }
      })

      test('mounts what there is, writes to volumes with a bound alone', () => {
        for (const volume of pod.volumes ?? []) insistOnVolume(volume, surroundings(folder))
        const claimed = (workload.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name)
        const volumes = [...(pod.volumes ?? []).map(({ name }) => name), ...claimed]
        const mounts = all.flatMap(({ volumeMounts = [] }) => volumeMounts)
        deepStrictEqual(new Set(mounts.map(({ name }) => name)), new Set(volumes))
        for (const { configMap, secret, name } of pod.volumes ?? []) {
          if (configMap || secret)
            ok(
              mounts.every(mount => mount.name !== name || mount.readOnly === true),
              name,
            )
        }
      })

      test('is selected by its own workload', () => {
        if (workload.kind === 'Job') return
        const { matchLabels = {} } = workload.spec.selector ?? {}
        const { labels } = workload.spec.template.metadata
        ok(Object.keys(matchLabels).length > 0)
        for (const [label, value] of Object.entries(matchLabels)) strictEqual(labels[label], value)
      })
    })
  }
}
