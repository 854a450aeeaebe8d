/** The real application on a database and a backend that are not there: enough to see who is let in. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import { pino } from 'pino'
import { buildApp } from '../../src/app.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import { Readiness } from '../../src/readiness.ts'
import type { RouteScope } from '../../src/schemas/config/tiers.ts'
import { onEnd } from '../support/cleanup.ts'
import { makeTempDir } from '../support/temp-dir.ts'

export interface Route {
  readonly method: string
  readonly url: string
  /** What a caller has to have. */
  readonly scope: RouteScope | undefined
  readonly operation: string | undefined
  /** Whether it exists on the internal listener only. */
  readonly isInternal: boolean
  readonly schema: FastifySchema
}

export interface BuiltApp {
  readonly app: FastifyInstance
  readonly config: Config
  /** Everything it answers, also what plugins have added and what the OpenAPI document hides. */
  readonly routes: readonly Route[]
}

/** Builds it, listening nowhere. `env` is laid over an environment that needs no server; `yaml` is its weir.yaml. */
export async function buildRealApp(
  t: TestContext,
  env: Readonly<Record<string, string>> = {},
  yaml = '',
): Promise<BuiltApp> {
  const routes: RouteOptions[] = []
  const collect = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', route => {
      routes.push(route)
    })
  }
  const nowhere = {
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
    WEIR_KEY_PEPPER: 'a pepper that only this test uses, long enough',
    WEIR_BACKEND_URL: 'http://127.0.0.1:1',
    WEIR_DATA_DIR: makeTempDir(t),
    HOST: '127.0.0.1',
    // Every route is asked by everybody in turn: far more failures than the flood guard has patience for.
    FLOOD_GUARD_REQUESTS: '0',
    FLOOD_GUARD_FAILURES: '0',
  }
  const cwd = makeTempDir(t)
  writeFileSync(join(cwd, 'weir.yaml'), yaml)
  const read = () => loadConfig({ argv: [], env: { ...nowhere, ...env }, cwd })
  const loaded = read()
  const { config } = loaded
  subscribe('fastify.initialization', collect)
  try {
    const log = pino({ level: 'silent' })
    const app = await buildApp({ loaded, read, log, readiness: new Readiness(), version: '0.0.0' })
    onEnd(t, () => app.close())
    await app.ready()
    // Read now: the hooks of a route's own scope may add to it after ours.
    return { app, config, routes: routes.flatMap(asRoutes) }
  } finally {
    unsubscribe('fastify.initialization', collect)
  }
}

function asRoutes({ method, url, config, constraints, schema = {} }: RouteOptions): Route[] {
  const isInternal = constraints !== undefined && 'listener' in constraints
  return [method].flat().map(name => ({
    method: name,
    url,
    scope: config?.scope,
    operation: config?.operation,
    isInternal,
    schema,
  }))
}

/** A URL that leads to the route. */
export function urlOf({ url }: Route): string {
  return url.replace(/:\w+/g, 'some').replace('*', 'some/thing')
}
