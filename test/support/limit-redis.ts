import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { RedisLimits } from '../../src/store/limits.ts'
import { connectRedis } from '../../src/store/redis-client.ts'
import { onEnd } from './cleanup.ts'
import { happens } from './inbox.ts'
import type { ModelledStore } from './limit-model.ts'
import { seeded } from './seeded-store.ts'

/** A connection as the gateway has it, but with patience: the machine that tests run on may be busy. */
export async function connect(t: TestContext, url: string, commandTimeout = 5000): Promise<Redis> {
  const client = connectRedis(url, { commandTimeout })
  onEnd(t, () => client.disconnect())
  await happens(client, 'ready')
  return client
}

/** A store in Redis whose answers are read on the way, since only they tell the time that it went by. */
export function modelledRedis(client: Redis): ModelledStore {
  const leaseMs = 15_000
  let lastUs = 0
  const spied = new Proxy(client, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (name !== 'evalsha' && name !== 'eval') return member
      return async (...args: Parameters<Redis['evalsha']>) => {
        const reply = (await target[name](...args)) as number[]
        lastUs = reply[1] ?? 0
        return reply
      }
    },
  })
  return {
    store: seeded(new RedisLimits(spied, { patienceMs: 5000 })),
    leaseMs,
    lastUs: () => lastUs,
    wait: async us => {
      if (us > 0) await sleep(us / 1000)
    },
  }
}
