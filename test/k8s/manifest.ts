/** What the tests look at in manifests; whether these are right is what they find out. */

export interface Labels {
  readonly [name: string]: string
}

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Labels
    readonly annotations?: Labels
  }
}

export interface Selector {
  readonly matchLabels?: Labels
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values: string[] }[]
}

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number }
  readonly tcpSocket?: { readonly port: string | number }
  readonly exec?: { readonly command: readonly string[] }
  readonly periodSeconds?: number
  readonly failureThreshold?: number
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number; readonly hostPort?: number }[]
  readonly env?: readonly { readonly name: string; readonly value: string }[]
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[]
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } }
  readonly resources?: { readonly requests?: Labels; readonly limits?: Labels }
  readonly securityContext?: {
    readonly privileged?: boolean
    readonly allowPrivilegeEscalation?: boolean
    readonly readOnlyRootFilesystem?: boolean
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] }
  }
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[]
}

export interface Volume {
  readonly name: string
  readonly configMap?: { readonly name: string }
  readonly secret?: { readonly secretName: string; readonly defaultMode: number }
  readonly persistentVolumeClaim?: { readonly claimName: string }
  readonly emptyDir?: { readonly sizeLimit?: string }
}

export interface PodSpec {
  readonly serviceAccountName?: string
  readonly automountServiceAccountToken?: boolean
  readonly enableServiceLinks?: boolean
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly hostIPC?: boolean
  readonly terminationGracePeriodSeconds?: number
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean
    readonly runAsUser?: number
    readonly runAsGroup?: number
    readonly fsGroup?: number
    readonly seccompProfile?: { readonly type: string }
  }
  readonly topologySpreadConstraints?: readonly { readonly topologyKey: string; readonly labelSelector: Selector }[]
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[]
  readonly volumes?: readonly Volume[]
}

export interface PodTemplate {
  readonly metadata: { readonly labels: Labels }
  readonly spec: PodSpec
}

interface Claim {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly resources: { readonly requests: { readonly storage: string } } }
}

export interface Workload extends Manifest {
  readonly spec: {
    readonly replicas?: number
    readonly serviceName?: string
    readonly selector?: Selector
    readonly template: PodTemplate
    readonly volumeClaimTemplates?: readonly Claim[]
    readonly persistentVolumeClaimRetentionPolicy?: Labels
  }
}

export interface Peer {
  readonly podSelector?: Selector
  readonly namespaceSelector?: Selector
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] }
}

interface PolicyPorts {
  readonly ports?: readonly { readonly protocol: string; readonly port: string | number }[]
}

export interface Kinds {
  readonly StatefulSet: Workload
  readonly Deployment: Workload
  readonly Job: Workload
  readonly ConfigMap: Manifest & { readonly data: Labels }
  readonly Secret: Manifest & { readonly stringData: Labels }
  readonly ServiceAccount: Manifest & { readonly automountServiceAccountToken?: boolean }
  readonly Namespace: Manifest
  readonly Service: Manifest & {
    readonly spec: {
      readonly type?: string
      readonly clusterIP?: string
      readonly selector: Labels
      readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: string | number }[]
    }
  }
  readonly Ingress: Manifest & {
    readonly spec: {
      readonly tls?: readonly { readonly hosts: readonly string[] }[]
      readonly rules: readonly {
        readonly host?: string
        readonly http: {
          readonly paths: readonly {
            readonly path: string
            readonly backend: { readonly service: { readonly name: string; readonly port: { readonly name: string } } }
          }[]
        }
      }[]
    }
  }
  readonly NetworkPolicy: Manifest & {
    readonly spec: {
      readonly podSelector: Selector
      readonly policyTypes: readonly string[]
      readonly ingress?: readonly (PolicyPorts & { readonly from?: readonly Peer[] })[]
      readonly egress?: readonly (PolicyPorts & { readonly to?: readonly Peer[] })[]
    }
  }
  readonly PodDisruptionBudget: Manifest & {
    readonly spec: { readonly maxUnavailable: number; readonly selector: Selector }
  }
  readonly HorizontalPodAutoscaler: Manifest & {
    readonly spec: {
      readonly scaleTargetRef: { readonly apiVersion: string; readonly kind: string; readonly name: string }
      readonly minReplicas: number
      readonly maxReplicas: number
      readonly metrics: readonly {
        readonly type: string
        readonly resource?: { readonly name: string }
        readonly pods?: { readonly metric: { readonly name: string } }
      }[]
    }
  }
  readonly ServiceMonitor: Manifest & {
    readonly spec: {
      readonly jobLabel?: string
      readonly selector: Selector
      readonly endpoints: readonly { readonly port: string; readonly path: string }[]
    }
  }
  readonly ExternalSecret: Manifest & {
    readonly spec: {
      readonly target: { readonly name: string }
      readonly data: readonly { readonly secretKey: string; readonly remoteRef: { readonly key: string } }[]
    }
  }
  readonly PersistentVolumeClaim: Manifest
}

export function ofKind<Kind extends keyof Kinds>(manifests: readonly Manifest[], kind: Kind): readonly Kinds[Kind][] {
  return manifests.filter(manifest => manifest.kind === kind) as Kinds[Kind][]
}

/** The one manifest of this kind and name. */
export function named<Kind extends keyof Kinds>(manifests: readonly Manifest[], kind: Kind, name: string): Kinds[Kind] {
  const [found, ...others] = ofKind(manifests, kind).filter(({ metadata }) => metadata.name === name)
  if (found === undefined || others.length > 0) throw new Error(`${found ? 'more than one' : 'no'} ${kind} ${name}`)
  return found
}

export const workloads = (manifests: readonly Manifest[]): readonly Workload[] =>
  (['StatefulSet', 'Deployment', 'Job'] as const).flatMap(kind => ofKind(manifests, kind))

export const containersOf = (manifests: readonly Manifest[]): readonly Container[] =>
  workloads(manifests).flatMap(({ spec: { template } }) => [
    ...(template.spec.initContainers ?? []),
    ...template.spec.containers,
  ])

/** An empty selector selects all, as in Kubernetes. Throws on an operator that no manifest has so far. */
export function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels = {}): boolean {
  return (
    Object.entries(matchLabels).every(([name, value]) => labels[name] === value) &&
    matchExpressions.every(({ key, operator, values }) => {
      if (operator !== 'In') throw new Error(`teach this reader the operator ${operator}`)
      return values.includes(labels[key] ?? '')
    })
  )
}
