import { tmpdir } from 'node:os'
import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import configuration from '../../plugins/configuration.ts'
import drain from '../../plugins/drain.ts'
import errors from '../../plugins/errors.ts'
import floodGuard, { type FloodBounds, type FloodGuardOptions } from '../../plugins/flood-guard.ts'
import internalListener, { internalListenerStrategy } from '../../plugins/internal-listener.ts'
import metrics from '../../plugins/metrics.ts'
import traces from '../../plugins/traces.ts'
import usage from '../../plugins/usage.ts'
import { loadConfig } from '../../src/config.ts'
import { WeirError } from '../../src/errors.ts'
import { onEnd } from './cleanup.ts'

export interface FloodApp {
  readonly app: FastifyInstance
  /** What holds from now on; to be changed by the test. */
  readonly bounds: { -readonly [Name in keyof FloodBounds]: FloodBounds[Name] }
  /** The messages of its warnings so far. */
  readonly warnings: readonly string[]
  /** How often a key was looked at. */
  readonly lookedAt: () => number
  /** Asks from an address, for `/keyed` with the right key unless told otherwise. */
  readonly ask: (from: string, request?: Asked) => Promise<Answer>
}

interface Asked {
  readonly url?: string
  readonly method?: 'GET' | 'POST'
  readonly key?: string
  readonly headers?: Record<string, string>
}

type Given = Partial<FloodBounds & Omit<FloodGuardOptions, 'bounds'>>

export type Answer = Awaited<ReturnType<FastifyInstance['inject']>>

/**
 * The flood guard with what it needs, before `/keyed`, whose one key is "right", and `/open`, which wants none. What is not
 * given is not bounded.
 */
export async function buildFloodApp(t: TestContext, given: Given): Promise<FloodApp> {
  const { requestsPerMinute = 0, failuresPerMinute = 0, ...rest } = given
  const bounds = { requestsPerMinute, failuresPerMinute }
  const options = { trustedProxies: [], ...rest, bounds: () => bounds }
  const warnings: string[] = []
  let looks = 0
  const read = () => loadConfig({ argv: [], env: {}, cwd: tmpdir() })
  const app = Fastify({
    trustProxy: [...options.trustedProxies],
    routerOptions: { constraints: { listener: internalListenerStrategy } },
    logger: { level: 'warn', stream: { write: line => warnings.push(JSON.parse(line).msg) } },
  })
  onEnd(t, () => app.close())
  await app.register(internalListener, { host: '127.0.0.1', port: undefined, clientErrorHandler: () => undefined })
  await app.register(drain)
  await app.register(errors)
  await app.register(metrics, { version: 'test' })
  await app.register(configuration, { loaded: read(), read })
  await app.register(traces, { settings: null, version: 'test' })
  await app.register(usage)
  await app.register(floodGuard, options)
  app.get('/open', { config: { scope: 'public', operation: 'open' } }, async () => 'open')
  app.get('/keyed', { config: { scope: 'any', operation: 'keyed' } }, async request => {
    looks += 1
    if (request.headers['x-api-key'] !== 'right') throw new WeirError('invalidApiKey', 'The key is not right.')
    return 'keyed'
  })
  await app.ready()
  const ask: FloodApp['ask'] = (from, { url = '/keyed', method = 'GET', key = 'right', headers = {} } = {}) =>
    app.inject({ url, method, remoteAddress: from, headers: { 'x-api-key': key, ...headers } })
  return { app, bounds, warnings, lookedAt: () => looks, ask }
}
