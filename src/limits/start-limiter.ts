import type { BaseLogger } from 'pino'
import type { LimitMeters } from '../metrics/limit-meters.ts'
import { connectRedis } from '../store/redis-client.ts'
import type { Limiter } from './limiter.ts'
import { LoneLimiter } from './lone-limiter.ts'
import { limiterConnection, SharedLimiter } from './shared-limiter.ts'

export interface LimiterSetup {
  readonly redisUrl?: string
  /** How many there are, for as long as Redis has never said. */
  readonly replicas: number
  readonly log: Pick<BaseLogger, 'error' | 'info'>
  readonly meters: LimitMeters
}

/** The limiter of this process: with all replicas where there is a Redis, which it waits for a moment. */
export async function startLimiter({ redisUrl, replicas, log, meters }: LimiterSetup): Promise<Limiter> {
  const onTrouble = (reason: string) => log.error({ reason }, 'limits: something is wrong; it is tried again')
  if (redisUrl === undefined) return new LoneLimiter({ onTrouble })
  const client = connectRedis(redisUrl, limiterConnection)
  // What is wrong with Redis is said by the plugin redis and by the limiter.
  client.on('error', () => {})
  const limiter = new SharedLimiter({
    client,
    assumedReplicas: replicas,
    events: {
      onRoundTrip: durationMs => meters.observeRoundTrip(durationMs),
      onBacklog: (waiting, dropped) => meters.setBacklog(waiting, dropped),
      onSuspicion: isSuspected => meters.setSuspected(isSuspected),
      onTrouble,
      onModeChange: (isLocal, reason) => {
        meters.setLocal(isLocal)
        if (isLocal)
          log.error({ reason }, 'limits: Redis does not answer; this replica keeps to its part of each limit')
        else log.info('limits: counted in Redis, together with all replicas')
      },
    },
  })
  await limiter.begin()
  if (limiter.isLocal) {
    meters.setLocal(true)
    log.error({ replicas }, 'limits: Redis has not been reached yet; each limit is divided by this number of replicas')
  }
  return limiter
}
