/** compose.yaml, as Docker Compose understands it: merged, and with the defaults of its variables. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { root } from '../architecture/source-file.ts'

type Strings = Readonly<Record<string, string>>

export interface Service {
  readonly image: string
  readonly build?: { readonly context: string }
  readonly profiles?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly volumes?: readonly string[]
  readonly tmpfs?: readonly string[]
  readonly environment?: Strings
  readonly secrets?: readonly string[]
  readonly networks: readonly string[]
  readonly ports?: readonly string[]
  readonly command?: readonly string[]
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly restart?: string
  readonly stop_grace_period?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly cap_add?: readonly string[]
  readonly privileged?: boolean
  readonly security_opt?: readonly string[]
  readonly logging?: { readonly options: Strings }
  readonly deploy?: {
    readonly resources: { readonly limits: { readonly cpus: string; readonly memory: string; readonly pids: number } }
  }
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<
    Record<string, { internal?: boolean; ipam?: { config: readonly { subnet: string }[] } } | null>
  >
  readonly volumes: Readonly<Record<string, null>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

export const composeText = readFileSync(join(root, 'compose.yaml'), 'utf8')

/** `NAME` → what holds where it is not set, one for each time that it is asked for. */
export const composeVariables: readonly (readonly [string, string])[] = [
  ...composeText.matchAll(/\$\{(\w+):-([^}]*)\}/g),
].map(([, name = '', byDefault = '']) => [name, byDefault])

/** With other values than the defaults for some variables. */
export function readCompose(given: Strings = {}): Compose {
  const text = composeText.replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_, name, byDefault) => given[name] ?? byDefault)
  if (/\$\{/.test(text)) throw new Error('a variable of compose.yaml has no default')
  return parse(text, { merge: true })
}

export const compose = readCompose()
export const services = Object.entries(compose.services)

export function serviceNamed(name: string): Service {
  const service = compose.services[name]
  if (service === undefined) throw new Error(`compose.yaml has no ${name}`)
  return service
}

/** Where on the host, where in the container: `./a:/b:ro` → `a`, `/b`. Named volumes are not among them. */
export const mountsOf = ({ volumes = [] }: Service) =>
  volumes
    .filter(volume => volume.startsWith('.'))
    .map(volume => {
      const [from = '', to = '', mode] = volume.split(':')
      return { from, to, mode }
    })

/** What ends when it is done. */
const isJob = ({ restart }: Service) => restart === 'no'
/** The services that stay. */
export const daemons = services.filter(([, service]) => !isJob(service))
/** The services that are replicas of Weir. */
export const replicas = daemons.filter(([, { image }]) => image.startsWith('ghcr.io/weir-gateway/weir:'))
