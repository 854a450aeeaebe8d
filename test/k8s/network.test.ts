import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { builds } from './kustomize.ts'
import {
  type Kinds,
  type Labels,
  type Manifest,
  named,
  ofKind,
  type Peer,
  type PodTemplate,
  type Selector,
  selects,
  workloads,
} from './manifest.ts'

/** All that may be said, one line for each way: who, in which direction, whom, and by which port. */
const base = [
  '* → kube-system k8s-app=kube-dns: UDP 53',
  '* → kube-system k8s-app=kube-dns: TCP 53',
  'gateway ← ingress-nginx|traefik: TCP http',
  'gateway ← monitoring app.kubernetes.io/name=prometheus: TCP internal',
]
const allowed: Readonly<Record<string, readonly string[]>> = {
  'k8s/base': base,
  'k8s/overlays/production': [
    ...base,
    'weir → 10.64.0.0/24: TCP 5432',
    'weir → 10.64.1.0/24: TCP 6379',
    'gateway → 10.64.8.0/24: TCP 8000',
    'gateway → 10.64.8.0/24: TCP 8080',
  ],
  'k8s/overlays/development': [
    ...base,
    'weir → postgres: TCP 5432',
    'weir → redis: TCP 6379',
    'gateway → llama-server: TCP 8080',
    'postgres ← weir: TCP postgres',
    'redis ← weir: TCP redis',
    'llama-server ← gateway: TCP http',
    'llama-server → 0.0.0.0/0 but 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16: TCP 443',
  ],
}

function wordsOf(labels: Labels = {}): string {
  const { 'app.kubernetes.io/name': name, 'app.kubernetes.io/component': component, ...others } = labels
  const [label] = Object.entries(others)
  return label ? label.join('=') : (component ?? name ?? '*')
}

const podsIn = ({ matchLabels }: Selector) => wordsOf(matchLabels)

/** Pods of another namespace, pods of this one, or addresses. Throws on a peer that is anybody. */
function peerOf({ podSelector, namespaceSelector, ipBlock }: Peer): string {
  if (ipBlock) return [ipBlock.cidr, ...(ipBlock.except ? ['but', ...ipBlock.except] : [])].join(' ')
  if (!namespaceSelector) return podsIn(podSelector ?? {})
  const { matchLabels = {}, matchExpressions = [] } = namespaceSelector
  const names = [...Object.values(matchLabels), ...matchExpressions.flatMap(({ values }) => values)].join('|')
  if (names === '') throw new Error('a policy lets pods of every namespace in')
  const [label] = Object.entries(podSelector?.matchLabels ?? {})
  return [names, ...(label ? [label.join('=')] : [])].join(' ')
}

type Policy = Kinds['NetworkPolicy']

function waysOf({ spec }: Policy): string[] {
  const who = podsIn(spec.podSelector)
  const rules = [
    ...(spec.ingress ?? []).map(({ from = [{}], ports }) => ({ arrow: '←', peers: from, ports })),
    ...(spec.egress ?? []).map(({ to = [{}], ports }) => ({ arrow: '→', peers: to, ports })),
  ]
  return rules.flatMap(({ arrow, peers, ports = [{ protocol: 'any', port: 'port' }] }) =>
    peers.flatMap(peer => ports.map(({ protocol, port }) => `${who} ${arrow} ${peerOf(peer)}: ${protocol} ${port}`)),
  )
}

const templates = (manifests: readonly Manifest[]) => workloads(manifests).map(({ spec }) => spec.template)

const portsOf = ({ spec }: PodTemplate) => spec.containers.flatMap(({ ports = [] }) => ports)

for (const [folder, expected] of Object.entries(allowed)) {
  const manifests = builds[folder]?.manifests ?? []
  const policies = ofKind(manifests, 'NetworkPolicy')

  test(`O06 ${folder}: nothing goes in or out but what is allowed`, () => {
    deepStrictEqual(named(manifests, 'NetworkPolicy', 'default-deny').spec, {
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    })
  })

  test(`O06 ${folder}: what is allowed is what it needs`, () => {
    deepStrictEqual(new Set(policies.flatMap(waysOf)), new Set(expected))
  })

  test(`O06 ${folder}: every policy has pods to hold for, which have the ports`, () => {
    for (const { metadata, spec } of policies) {
      const held = templates(manifests).filter(pod => selects(spec.podSelector, pod.metadata.labels))
      ok(held.length > 0, metadata.name)
      // A rule of a direction that is not among the types would be no rule.
      strictEqual(spec.ingress !== undefined && !spec.policyTypes.includes('Ingress'), false, metadata.name)
      strictEqual(spec.egress !== undefined && !spec.policyTypes.includes('Egress'), false, metadata.name)
      for (const port of (spec.ingress ?? []).flatMap(({ ports = [] }) => ports.map(({ port }) => port))) {
        ok(
          held.every(pod => portsOf(pod).some(({ name }) => name === port)),
          `${metadata.name}: ${port}`,
        )
      }
    }
  })

  test(`O06 ${folder}: where one pod may go to another, that one listens and lets it in`, () => {
    for (const { spec } of policies) {
      for (const { to = [], ports = [] } of spec.egress ?? []) {
        for (const { podSelector, namespaceSelector } of to) {
          if (podSelector === undefined || namespaceSelector !== undefined) continue
          const met = templates(manifests).filter(pod => selects(podSelector, pod.metadata.labels))
          strictEqual(met.length, 1)
          const [pod] = met
          if (pod)
            deepStrictEqual(
              portsOf(pod).map(({ containerPort }) => containerPort),
              ports.map(({ port }) => port),
            )
          ok(expected.some(way => way.startsWith(`${podsIn(podSelector)} ← ${podsIn(spec.podSelector)}:`)))
        }
      }
    }
  })
}

test('O06 the port of the probes is open to nobody, and the internal one to Prometheus alone', () => {
  const ways = Object.values(builds).flatMap(({ manifests }) => ofKind(manifests, 'NetworkPolicy').flatMap(waysOf))
  const inner = ways.filter(way => /^(gateway|weir|\*) ← .*(internal|probe|9090|9091|any)/.test(way))
  deepStrictEqual([...new Set(inner)], ['gateway ← monitoring app.kubernetes.io/name=prometheus: TCP internal'])
})

test('the replay is let to the database', () => {
  const [job] = templates(builds['k8s/replay']?.manifests ?? [])
  const policies = ofKind(builds['k8s/overlays/production']?.manifests ?? [], 'NetworkPolicy')
  const ways = policies.filter(({ spec }) => selects(spec.podSelector, job?.metadata.labels)).flatMap(waysOf)
  ok(ways.includes('weir → 10.64.0.0/24: TCP 5432'))
  ok(
    ways.every(way => !way.includes('←')),
    'nobody reaches it',
  )
})
