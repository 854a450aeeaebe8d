/** nginx or HAProxy before a gateway in this process, for tests of what they do to single requests. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Balancer, type BalancerOptions, startHaproxy, startNginx } from '../../support/balancers.ts'
import { llamaServer } from '../../support/engines.ts'
import { adminKey, buildGateway } from '../../support/gateway.ts'
import { oneBackendYaml } from '../../support/inference.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

export const right = { authorization: `Bearer ${adminKey}` }

export type Ports = readonly [number, number]
export type Kind = 'nginx' | 'haproxy'
export const kinds: readonly Kind[] = ['nginx', 'haproxy']

export function startBalancer(t: TestContext, kind: Kind, ports: Ports, options?: BalancerOptions): Promise<Balancer> {
  const [first, second] = ports.map(port => ({ port, probePort: port }))
  assert.ok(first !== undefined && second !== undefined)
  return kind === 'nginx' ? startNginx(t, [first, second], options) : startHaproxy(t, [first, second], options)
}

/** The ways to a gateway, each by its name: straight, and through either balancer. */
export async function waysTo(t: TestContext, gateway: { readonly url: string; readonly port: number }) {
  const behind = { port: gateway.port, probePort: gateway.port }
  const balancers = [await startNginx(t, [behind, behind]), await startHaproxy(t, [behind, behind])]
  return [['direct', gateway.url], ...balancers.map(({ kind, url }) => [kind, url] as const)] as const
}

/** One gateway, which stands for both replicas. */
export async function build(t: TestContext, kind: Kind, env: Record<string, string> = {}) {
  const backend = await startScriptedBackend(t, llamaServer({ dimensions: 4 }))
  const yaml = oneBackendYaml(backend.url)
  const gateway = await buildGateway(t, { yaml, env: { TRUSTED_PROXIES: '127.0.0.1/32', ...env } })
  const balancer = await startBalancer(t, kind, [gateway.port, gateway.port])
  return { backend, gateway, balancer }
}

/** The answer's error, which has to have OpenAI's shape. */
export function errorOf({ text, header }: { text: string; header(name: string): string | undefined }) {
  assert.match(header('content-type') ?? '', /^application\/json/, text)
  const { error } = JSON.parse(text) as { error: Record<string, unknown> }
  assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code'], text)
  return error
}
