/**
 * What limits cost: `npm run bench`. Starts a Redis of its own, reserves and settles on one connection as the gateway has
 * it, and prints a table for bench/README.md.
 */
import { once } from 'node:events'
import { availableParallelism, cpus } from 'node:os'
import type { Redis } from 'ioredis'
import type { LimitSet, RateLimit } from '../src/domain/limit.ts'
import type { LimitStore } from '../src/domain/reservation.ts'
import { MemoryLimits } from '../src/embedded/limits.ts'
import { RedisLimits } from '../src/store/limits.ts'
import { connectRedis } from '../src/store/redis-client.ts'
import { startRedisServer } from '../test/support/redis-server.ts'

const accounts = 100
const warmUpPairs = 20_000
const pairs = 100_000
/** Requests under way at the same time. */
const lanes = 200

/** The usual three, far above what is asked, so that all is admitted. */
function callers(): LimitSet[] {
  const rate = { of: 'account', kind: 'rate', periodMs: 60_000, size: 1e8, capacity: 1e8 } as const
  const limits = [
    { ...rate, name: 'requests_per_minute', unit: 'requests' } satisfies RateLimit,
    { ...rate, name: 'tokens_per_minute', unit: 'tokens' } satisfies RateLimit,
    { name: 'requests_in_flight', of: 'account', kind: 'flight', unit: 'requests', size: 10_000 } as const,
  ]
  return Array.from({ length: accounts }, (_, index) => {
    const accountId = `0199a0b0-0000-7000-8000-${String(index).padStart(12, '0')}`
    return { accountId, keyId: null, tier: 'default', limits, fingerprint: 'bench' }
  })
}

/** Each lane reserves, and settles when the answer is there, unless it `keeps` what it has. */
async function run(store: LimitStore, count: number, { keeps, prefix }: { keeps: boolean; prefix: string }) {
  let next = 0
  async function lane(): Promise<void> {
    while (next < count) {
      const number = next
      next += 1
      const set = sets[number % sets.length]
      if (set === undefined) return
      const verdict = await store.reserve(`${prefix}-7000-8000-${String(number).padStart(12, '0')}`, set, [1, 900, 1])
      if (verdict.kind !== 'admitted') throw new Error(JSON.stringify(verdict))
      if (!keeps) await store.settle(verdict.reservation, [1, 350, 1])
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

const sets = callers()

const numberIn = (text: string, name: RegExp) => Number(name.exec(text)?.[1] ?? 0)

async function redisCpuUs(admin: Redis): Promise<number> {
  const info = await admin.info('cpu')
  return (numberIn(info, /used_cpu_sys:([\d.]+)/) + numberIn(info, /used_cpu_user:([\d.]+)/)) * 1e6
}

async function scriptCalls(admin: Redis): Promise<number> {
  const info = await admin.info('commandstats')
  return numberIn(info, /cmdstat_evalsha:calls=(\d+)/) + numberIn(info, /cmdstat_eval:calls=(\d+)/)
}

interface Measured {
  readonly perSecond: number
  readonly clientUs: number
  readonly redisUs: number
  readonly calls: number
}

async function measure(admin: Redis, work: () => Promise<void>): Promise<Measured> {
  const [redisBeforeUs, callsBefore] = [await redisCpuUs(admin), await scriptCalls(admin)]
  const [cpuBefore, startedAtMs] = [process.cpuUsage(), performance.now()]
  await work()
  const elapsedMs = performance.now() - startedAtMs
  const { user, system } = process.cpuUsage(cpuBefore)
  return {
    perSecond: (pairs / elapsedMs) * 1000,
    clientUs: (user + system) / pairs,
    redisUs: ((await redisCpuUs(admin)) - redisBeforeUs) / pairs,
    calls: ((await scriptCalls(admin)) - callsBefore) / pairs,
  }
}

function row(name: string, { perSecond, clientUs, redisUs, calls }: Measured): string {
  const cells = [
    name,
    Math.round(perSecond).toLocaleString('en'),
    clientUs.toFixed(1),
    redisUs.toFixed(1),
    calls.toFixed(3),
  ]
  return `| ${cells.join(' | ')} |`
}

async function connect(url: string): Promise<Redis> {
  const client = connectRedis(url, { commandTimeout: 5000 })
  await once(client, 'ready')
  return client
}

const server = await startRedisServer()
const [client, admin] = await Promise.all([connect(server.url), connect(server.url)])
try {
  const redis = new RedisLimits(client, { patienceMs: 5000 })
  const memory = new MemoryLimits({ nowUs: () => Math.floor((performance.timeOrigin + performance.now()) * 1000) })
  await run(redis, warmUpPairs, { keeps: false, prefix: '0199a0b0-1111' })
  await run(memory, warmUpPairs, { keeps: false, prefix: '0199a0b0-1111' })
  const pairsInRedis = await measure(admin, () => run(redis, pairs, { keeps: false, prefix: '0199a0b0-2222' }))
  const reservesInRedis = await measure(admin, () => run(redis, pairs, { keeps: true, prefix: '0199a0b0-3333' }))
  const pairsHere = await measure(admin, () => run(memory, pairs, { keeps: false, prefix: '0199a0b0-4444' }))
  const version = numberIn(await admin.info('server'), /redis_version:(\d+\.\d+)/)
  const lines = [
    `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, Redis ${version}`,
    '',
    '| what | per second | client CPU, µs each | Redis CPU, µs each | scripts run, each |',
    '| --- | --- | --- | --- | --- |',
    row('reserve + settle, in Redis', pairsInRedis),
    row('reserve alone, in Redis', reservesInRedis),
    row('reserve + settle, in the process', pairsHere),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
} finally {
  client.disconnect()
  admin.disconnect()
  await server.remove()
}
