/** Weir's own pods among the manifests, and what its program finds in them. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { makeTempDir } from '../support/temp-dir.ts'
import { type Container, type Labels, type Manifest, named, ofKind, type PodSpec, type Workload } from './manifest.ts'

export interface Gateway {
  readonly workload: Workload
  readonly pod: PodSpec
  readonly container: Container
}

export function gatewayOf(manifests: readonly Manifest[]): Gateway {
  return onlyContainer(named(manifests, 'StatefulSet', 'weir'))
}

export function onlyContainer(workload: Workload): Gateway {
  const { spec: pod } = workload.spec.template
  const [container, ...others] = pod.containers
  if (container === undefined || others.length > 0) throw new Error(`${workload.metadata.name} has not one container`)
  return { workload, pod, container }
}

/** The variables of the gateway's container. */
export function environmentOf(manifests: readonly Manifest[]): Labels {
  return variablesOf(gatewayOf(manifests).container, manifests)
}

function variablesOf({ envFrom = [], env = [] }: Container, manifests: readonly Manifest[]): Labels {
  const sources = envFrom.map(({ configMapRef }) => named(manifests, 'ConfigMap', configMapRef.name).data)
  return Object.assign({}, ...sources, Object.fromEntries(env.map(({ name, value }) => [name, value])))
}

export interface Inside {
  /** Where the pod's root would be. */
  readonly root: string
  readonly env: Labels
}

/**
 * Puts the files that a container would see into a folder, and says what its variables would be, both with that folder
 * before every path. `manifests` are those of the container and what it refers to.
 */
export function enter(t: TestContext, { pod, container }: Gateway, manifests: readonly Manifest[]): Inside {
  const root = makeTempDir(t)
  const moved = (text: string) => text.replaceAll('/etc/weir/', `${root}/etc/weir/`)
  for (const { name, mountPath } of container.volumeMounts ?? []) {
    const volume = pod.volumes?.find(one => one.name === name)
    const { configMap, secret } = volume ?? {}
    const files = {
      ...(configMap ? named(manifests, 'ConfigMap', configMap.name).data : {}),
      ...(secret ? secretOf(manifests, secret.secretName) : {}),
    }
    for (const [file, text] of Object.entries(files)) {
      const path = join(root, mountPath, file)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, moved(text))
    }
  }
  const variables = Object.entries(variablesOf(container, manifests))
  return { root, env: Object.fromEntries(variables.map(([name, value]) => [name, moved(value)])) }
}

/** What the secret has, or something of its kind where that is not in the manifests. */
function secretOf(manifests: readonly Manifest[], name: string): Labels {
  const external = ofKind(manifests, 'ExternalSecret').find(({ spec }) => spec.target.name === name)
  if (external === undefined) return named(manifests, 'Secret', name).stringData
  return Object.fromEntries(external.spec.data.map(({ secretKey }) => [secretKey, madeUp(secretKey)]))
}

function madeUp(key: string): string {
  if (key === 'database-url') return 'postgresql://weir:secret@10.64.0.10:5432/weir'
  if (key === 'redis-url') return 'rediss://weir:secret@10.64.1.10:6379'
  return randomBytes(32).toString('hex')
}
