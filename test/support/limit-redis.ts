import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { RedisLimits } from '../../src/store/limits.ts'
import type { ModelledStore } from './limit-model.ts'

/** A store in Redis whose answers are read on the way, since only they tell the time that it went by. */
export function modelledRedis(client: Redis): ModelledStore {
  const leaseMs = 15_000
  let lastUs = 0
  const evalsha = async (...args: Parameters<Redis['evalsha']>) => {
    const reply = (await client.evalsha(...args)) as number[]
    lastUs = reply[1] ?? 0
    return reply
  }
  const spied = new Proxy(client, {
    get: (target, name) => (name === 'evalsha' ? evalsha : Reflect.get(target, name, target)),
  })
  return {
    store: new RedisLimits(spied),
    leaseMs,
    lastUs: () => lastUs,
    wait: async us => {
      if (us > 0) await sleep(us / 1000)
    },
  }
}
