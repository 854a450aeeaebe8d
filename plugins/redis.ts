import fastifyRedis from '@fastify/redis'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import type { Redis } from 'ioredis'
import type { Config } from '../src/config.ts'
import { reasonOf } from '../src/log/describe-error.ts'
import { connectRedis } from '../src/store/redis-client.ts'

/** `absent`: none is configured, and `app.redis` is not there either. */
export type RedisState = 'absent' | 'connecting' | 'ready' | 'down'

export interface RedisHealth {
  readonly state: RedisState
  /** Commands that were sent and have no answer yet. */
  readonly pending: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether Redis can be used now. `app.redis` itself is decorated only where one is configured. */
    readonly redisHealth: RedisHealth
  }
}

interface RedisOptions {
  readonly config: Pick<Config, 'stores'>
}

const closeTimeoutMs = 500

/** Follows the client's state and logs each change of it once, but for the one that closing the application makes. */
function watch(client: Redis, log: FastifyBaseLogger, isClosing: () => boolean): RedisHealth {
  const health = {
    state: 'connecting' as RedisState,
    get pending() {
      return pendingOf(client)
    },
  }
  let reason = 'the connection was closed'
  // ioredis puts the command into an error, and a command may be AUTH: only what is known of it is ever logged.
  client.on('error', error => {
    reason = reasonOf(error)
  })
  client.on('ready', () => {
    health.state = 'ready'
    log.info('Redis answers')
  })
  client.on('close', () => {
    if (health.state !== 'down' && !isClosing()) log.warn({ reason }, 'Redis is down; trying again')
    health.state = 'down'
  })
  return health
}

/** ioredis keeps what has no answer yet in a queue that its types do not have. */
const pendingOf = (client: Redis): number =>
  (client as Redis & { readonly commandQueue?: { readonly length: number } }).commandQueue?.length ?? 0

/**
 * The client as @fastify/redis wants it: until it is registered it says that it is ready, since the plugin would
 * otherwise wait for the first connection and fail the start when Redis is down.
 */
function presentAsReady(client: Redis): { readonly client: Redis; readonly finish: () => void } {
  let isRegistering = true
  const bound = new Map<PropertyKey, unknown>()
  const proxy = new Proxy(client, {
    get(target, property) {
      if (property === 'status' && isRegistering) return 'ready'
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      // Bound once, so that a command passes through the proxy once and not at each of its steps.
      if (!bound.has(property)) bound.set(property, value.bind(target))
      return bound.get(property)
    },
  })
  return {
    client: proxy,
    finish: () => {
      isRegistering = false
    },
  }
}

async function disconnect(client: Redis): Promise<void> {
  const { promise: expired, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, closeTimeoutMs)
  try {
    if (client.status === 'ready') await Promise.race([client.quit(), expired])
  } catch {
    // It went away while we were leaving.
  } finally {
    clearTimeout(timer)
    client.disconnect()
  }
}

/** Boots with Redis down and heals by itself. A command fails within 50 ms; one that timed out may still run. */
export default fp<RedisOptions>(
  async (app, { config }) => {
    const { redisUrl } = config.stores
    if (redisUrl === undefined) {
      app.decorate('redisHealth', { state: 'absent', pending: 0 })
      return
    }
    const client = connectRedis(redisUrl)
    let isClosing = false
    app.decorate(
      'redisHealth',
      watch(client, app.log, () => isClosing),
    )
    app.addHook('onClose', async () => {
      isClosing = true
      await disconnect(client)
    })
    const presented = presentAsReady(client)
    await app.register(fastifyRedis, { client: presented.client })
    presented.finish()
  },
  { name: 'redis', fastify: '5.x' },
)
