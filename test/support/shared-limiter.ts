/** Limiters that share one database of a real Redis, each behind a proxy of its own that misbehaves on demand. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Redis } from 'ioredis'
import type { LimitSet } from '../../src/domain/limit.ts'
import type { Decision, Request } from '../../src/limits/limiter.ts'
import { Seeding } from '../../src/limits/seeding.ts'
import { limiterConnection, SharedLimiter } from '../../src/limits/shared-limiter.ts'
import { UncountedRequests } from '../../src/limits/uncounted-requests.ts'
import { RedisLimits } from '../../src/store/limits.ts'
import { connectRedis } from '../../src/store/redis-client.ts'
import { onEnd } from './cleanup.ts'
import { eventually } from './eventually.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { createInbox, happens } from './inbox.ts'
import { KeptUse } from './kept-use.ts'
import { newId } from './limit-conformance.ts'
import { connect } from './limit-redis.ts'
import { limitSet, rate } from './limit-sets.ts'
import { createRedisDatabase } from './services.ts'

export type Admitted = Extract<Decision, { kind: 'admitted' }>

export interface Watched {
  readonly limiter: SharedLimiter
  readonly proxy: FaultProxy
  /** Why it went on alone, each time. */
  readonly reasons: readonly string[]
  /** What else was wrong. */
  readonly troubles: readonly string[]
  /** Each change of whether it was suspected. */
  readonly suspicions: readonly boolean[]
  /** Asks for this; what is not given of the request is new. */
  ask(set: LimitSet, amounts: readonly number[], more?: Partial<Request>): Decision | Promise<Decision>
  /** Fails where it is not admitted. */
  admit(set: LimitSet, amounts: readonly number[]): Promise<Admitted>
  /** The next change to this mode; one that has come and was not asked for counts. */
  becomes(mode: 'local' | 'shared'): Promise<void>
  /** Cuts the connection and waits until it counts for itself. */
  cut(): Promise<void>
  /**
   * Ends all faults. With `isCut` the connection ends too, as it must after a black hole: what that has swallowed leaves a
   * gap in the stream of bytes, which no network does.
   */
  mend(isCut?: boolean): Promise<void>
  /** Mends, and waits until it counts in Redis. */
  heal(): Promise<void>
  /** Until nothing waits to be told: it has been sent at least. */
  told(): Promise<void>
}

export interface WatchedOptions {
  readonly assumedReplicas?: number
  readonly startsDown?: boolean
  /** Called in the moment in which the mode changes. */
  readonly onModeChange?: (isLocal: boolean, proxy: FaultProxy) => void
  /** Stands between the limiter and its client. */
  readonly wrap?: (client: Redis) => Redis
}

export interface SharedWorld {
  /** A connection without a proxy. */
  readonly direct: Redis
  /** Of all limiters. */
  readonly kept: KeptUse
  makeLimiter(options?: WatchedOptions): Promise<Watched>
  /** What Redis itself says is used. */
  used(set: LimitSet): Promise<readonly number[]>
  /** Until Redis says so. */
  becomesUsed(set: LimitSet, amounts: readonly number[]): Promise<void>
}

/** On the Redis of all tests, or on one of its own. */
export async function startSharedWorld(t: TestContext, ownUrl?: string): Promise<SharedWorld> {
  const url = ownUrl ?? (await createRedisDatabase(t))
  const direct = await connect(t, url)
  const store = new RedisLimits(direct)
  const kept = new KeptUse()
  const seeding = new Seeding({
    store,
    findSinceUs: async () => 0,
    whenComplete: async () => undefined,
    uncounted: new UncountedRequests(() => undefined),
    beforeSeed: async () => undefined,
    findRunning: (set, atUs) => store.findRunning(set, atUs),
    onTrouble: assert.fail,
  })
  seeding.use(kept)
  async function used(set: LimitSet): Promise<readonly number[]> {
    const states = await store.look(set)
    if (states !== null) return states.map(state => state.used)
    assert.ok(await seeding.hasSeeded(set, Date.now() * 1000))
    return await used(set)
  }
  return {
    direct,
    kept,
    used,
    makeLimiter: options => makeLimiter(t, { url, kept }, options),
    async becomesUsed(set, amounts) {
      await eventually(
        `${amounts} to be used`,
        async () => {
          assert.deepEqual(await used(set), amounts)
          return true
        },
        { withinMs: 2000 },
      )
    },
  }
}

async function makeLimiter(
  t: TestContext,
  { url, kept }: { readonly url: string; readonly kept: KeptUse },
  { assumedReplicas = 1, startsDown = false, onModeChange, wrap = client => client }: WatchedOptions = {},
): Promise<Watched> {
  const proxy = await startFaultProxy(t, { url })
  const throughProxy = new URL(url)
  throughProxy.port = String(proxy.port)
  let isDown = startsDown
  if (isDown) await proxy.down()
  const client = connectRedis(throughProxy.href, limiterConnection)
  onEnd(t, () => client.disconnect())
  client.on('error', () => undefined)
  if (!startsDown) await happens(client, 'ready')
  const modes = createInbox<'local' | 'shared'>('change of mode')
  const ticks = createInbox<{ atMs: number; waiting: number }>('tick')
  const reasons: string[] = []
  const troubles: string[] = []
  const suspicions: boolean[] = []
  const limiter = new SharedLimiter({
    client: wrap(client),
    assumedReplicas,
    events: {
      onRoundTrip: () => undefined,
      onBacklog: waiting => ticks.put({ atMs: performance.now(), waiting }),
      onSuspicion: isSuspected => suspicions.push(isSuspected),
      onTrouble: reason => troubles.push(reason),
      onModeChange: (isLocal, reason) => {
        if (reason !== null) reasons.push(reason)
        modes.put(isLocal ? 'local' : 'shared')
        onModeChange?.(isLocal, proxy)
      },
    },
  })
  onEnd(t, () => limiter.close())
  limiter.seedFrom(kept)
  const ask: Watched['ask'] = (set, amounts, more = {}) => {
    const id = newId()
    const decision = limiter.reserve({ id, set, amounts, failsClosed: false, ...more })
    return decision instanceof Promise ? decision.then(made => kept.watch(id, made)) : kept.watch(id, decision)
  }
  const becomes = async (mode: 'local' | 'shared') => void (await modes.take(found => found === mode))
  async function mend(isCut = false): Promise<void> {
    proxy.clear()
    if (isDown) await proxy.up()
    else if (isCut) proxy.resetPeer()
    proxy.clear()
    isDown = false
  }
  if (!startsDown) {
    await limiter.begin()
    await becomes('shared')
  }
  return {
    limiter,
    proxy,
    reasons,
    troubles,
    suspicions,
    ask,
    becomes,
    async admit(set, amounts) {
      const decision = await ask(set, amounts)
      assert.equal(decision.kind, 'admitted', JSON.stringify(decision))
      return decision as Admitted
    },
    async cut() {
      await proxy.down()
      isDown = true
      // Failures are what it learns by.
      const nobody = limitSet([rate({ size: 1000 })])
      while (!limiter.isLocal) await ask(nobody, [0])
      await becomes('local')
    },
    mend,
    async heal() {
      await mend(true)
      await becomes('shared')
    },
    async told() {
      const startedMs = performance.now()
      await ticks.take(({ atMs, waiting }) => atMs > startedMs && waiting === 0 && !limiter.isLocal)
    },
  }
}
