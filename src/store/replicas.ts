/**
 * Which replicas live: each says so again and again, and those that have been silent for a while do not count. And since when
 * Redis has forgotten nothing: its epoch ends with the data in it, and the first to notice begins the next one.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Place } from '../domain/limit-share.ts'

/** The braces keep them on one node of a cluster. */
const keys = ['weir:{replicas}', 'weir:{replicas}:told', 'weir:{replicas}:epoch'] as const
/** Three missed beats. */
const silenceMs = 4000
/** Every replica that lives has noticed a new epoch by then, with half a beat to spare. */
const noticedMs = 1500

/**
 * By the clock of Redis: notes this replica down, and whether it has told all it knows in the epoch that it names; forgets the
 * silent ones; answers with the epoch, since when it lasts, whether all that live have told what they know, and who they are
 * in a fixed order.
 */
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = redis.call('GET', KEYS[3])
if not epoch then
  epoch = ARGV[3] .. ' ' .. string.format('%.0f', now)
  redis.call('SET', KEYS[3], epoch)
end
local name, since = string.match(epoch, '^(%S+) (%d+)$')
for i, key in ipairs({ KEYS[1], KEYS[2] }) do
  if i == 1 or ARGV[4] == name then redis.call('ZADD', key, now, ARGV[1]) else redis.call('ZREM', key, ARGV[1]) end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - ARGV[2])
  redis.call('ZREMRANGEBYSCORE', key, '(' .. (now + ARGV[2]), '+inf')
  redis.call('PEXPIRE', key, ARGV[2])
end
local all, told = redis.call('ZRANGE', KEYS[1], 0, -1), redis.call('ZRANGE', KEYS[2], 0, -1)
table.sort(all)
local is_complete = #all == #told and now - since >= tonumber(ARGV[5])
return { name, tonumber(since), is_complete and 1 or 0, unpack(all) }`

const sha = createHash('sha1').update(script).digest('hex')

export interface Beat {
  readonly place: Place
  /** Another one than before: Redis has forgotten all it knew. */
  readonly epoch: string
  /** When it began, by the clock of Redis, in milliseconds since 1970. */
  readonly sinceMs: number
  /** All replicas that live have told all that they know of. */
  readonly isComplete: boolean
}

/** Says that this replica lives, and in which epoch it has told all it knows. Rejects when Redis does not answer. */
export async function beat(client: Redis, replica: string, toldIn: string | null): Promise<Beat> {
  const args = [...keys, replica, silenceMs, randomUUID(), toldIn ?? '', noticedMs] as const
  const [epoch, sinceMs, isComplete, ...all] = await run(client, args)
  return {
    place: { rank: Math.max(0, all.indexOf(replica)), count: Math.max(1, all.length) },
    epoch: String(epoch),
    sinceMs: Number(sinceMs),
    isComplete: isComplete === 1,
  }
}

export async function leave(client: Redis, replica: string): Promise<void> {
  const [living, told] = keys
  await Promise.all([client.zrem(living, replica), client.zrem(told, replica)])
}

async function run(client: Redis, args: readonly (string | number)[]): Promise<(string | number)[]> {
  try {
    return (await client.evalsha(sha, keys.length, ...args)) as (string | number)[]
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return (await client.eval(script, keys.length, ...args)) as (string | number)[]
  }
}
