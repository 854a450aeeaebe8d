/** Which replicas live: each says so again and again, and those that have been silent for a while do not count. */
import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Place } from '../domain/limit-share.ts'

const key = 'weir:replicas'
/** Three missed beats. */
const silenceMs = 4000

/** Notes this one down by the clock of Redis, forgets the silent ones, and answers with all in a fixed order. */
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. (now + ARGV[2]), '+inf')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local all = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(all)
return all`

const sha = createHash('sha1').update(script).digest('hex')

/** Says that this replica lives; returns its place among all that do. Rejects when Redis does not answer. */
export async function beat(client: Redis, replica: string): Promise<Place> {
  const all = await run(client, replica)
  return { rank: Math.max(0, all.indexOf(replica)), count: Math.max(1, all.length) }
}

export async function leave(client: Redis, replica: string): Promise<void> {
  await client.zrem(key, replica)
}

async function run(client: Redis, replica: string): Promise<string[]> {
  try {
    return (await client.evalsha(sha, 1, key, replica, silenceMs)) as string[]
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return (await client.eval(script, 1, key, replica, silenceMs)) as string[]
  }
}
