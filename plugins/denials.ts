/** Requests that limits refuse are counted by the minute, and the counts written to the database. */
import fp from 'fastify-plugin'
import type { DenialCount } from '../src/domain/denial-count.ts'
import type { Limit, LimitSet } from '../src/domain/limit.ts'
import { DatabaseUnavailableError } from '../src/store/deadline.ts'
import { insertDenials } from '../src/store/usage-denials.ts'
import { isPoison } from '../src/store/usage-events.ts'
import { DenialTally } from '../src/usage/denial-tally.ts'

declare module 'fastify' {
  interface FastifyInstance {
    readonly denials: Denials
  }
}

export interface Denials {
  /** This limit has refused a request of this caller. */
  note(set: LimitSet, limit: Limit): void
  /** Fulfilled when the database has all that has been counted so far, or will not take it now. */
  flush(): Promise<void>
}

const intervalMs = 60_000
/** After a write that failed, or while the database is away. */
const retryMs = 5000
const writeTimeoutMs = 3000
const mostAtOnce = 5000

export default fp(
  async app => {
    const meters = app.meters.limits
    const tally = new DenialTally(denials => meters.droppedDenials(denials))
    let running: Promise<void> = Promise.resolve()
    let timer: NodeJS.Timeout | undefined
    const write = async (counts: readonly DenialCount[]) => {
      if (app.database.state !== 'ready') throw new DatabaseUnavailableError(`the database is ${app.database.state}`)
      try {
        await insertDenials(app.sql, counts, writeTimeoutMs)
      } catch (err) {
        app.database.reportFailure(err)
        if (!isPoison(err)) throw err
        // They would be refused for ever, and all that is counted later behind them.
        app.log.error({ err, counts: counts.length }, 'denials: counts that cannot be stored are given up')
        meters.droppedDenials(counts.reduce((sum, { denials }) => sum + denials, 0))
      }
    }
    const work = async (): Promise<boolean> => {
      try {
        await tally.write(write, mostAtOnce)
        return true
      } catch (err) {
        // An outage is said by whoever keeps in touch with the database.
        if (!(err instanceof DatabaseUnavailableError)) app.log.warn({ err }, 'denials: not stored; trying again')
        return false
      }
    }
    const flush = (): Promise<void> => {
      clearTimeout(timer)
      running = running.then(work).then(isDone => {
        clearTimeout(timer)
        timer = setTimeout(flush, isDone ? intervalMs : retryMs)
        timer.unref()
      })
      return running
    }
    timer = setTimeout(flush, intervalMs)
    timer.unref()
    app.decorate('denials', { note: (set, limit) => tally.note(set, limit, Date.now()), flush })
    app.addHook('onClose', async () => {
      await flush()
      clearTimeout(timer)
      if (tally.size > 0) app.log.error({ counts: tally.size }, 'denials: the database has not taken the last ones')
    })
  },
  { name: 'denials', fastify: '5.x', dependencies: ['metrics', 'postgres'] },
)
