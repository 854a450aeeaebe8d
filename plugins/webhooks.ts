import fp from 'fastify-plugin'
import { isUnavailable } from '../src/store/deadline.ts'
import { keepDeliveries } from '../src/store/webhook-deliveries.ts'
import { Courier } from '../src/webhooks/courier.ts'
import { Poster } from '../src/webhooks/poster.ts'
import { ThresholdWatch } from '../src/webhooks/threshold-watch.ts'

declare module 'fastify' {
  interface FastifyInstance {
    readonly webhooks: Webhooks
  }
}

export interface Webhooks {
  /** Something is to be delivered that was not before. */
  deliver(): void
}

/** How often the outbox is cleared of what is long over, and counted. */
const keepMs = 15_000
/** How long a stop waits for what is being delivered; the rest is for other replicas, or for the next start. */
const closeMs = 3000

/** Without webhooks in the configuration it does nothing. */
export default fp(
  async app => {
    const { sql, database, configuration, log } = app
    const meters = app.meters.webhooks
    const isReachable = () => database.state === 'ready'
    const receivers = () => configuration.current.webhooks
    const poster = new Poster()
    const courier = new Courier({
      sql,
      isReachable: () => isReachable() && Object.keys(receivers()).length > 0,
      receivers,
      post: posting => poster.post(posting),
      onTry: outcome => meters.tried(outcome),
      log,
    })
    const watch = new ThresholdWatch({
      sql,
      isReachable,
      config: () => configuration.current,
      onNotice: () => courier.look(),
      onFailedLook: () => meters.failedToLook(),
      log,
    })
    const keep = () => {
      if (!isReachable()) return
      keepDeliveries(sql).then(
        counts => meters.setCounts(counts),
        err => {
          database.reportFailure(err)
          if (!isUnavailable(err)) log.warn({ err }, 'webhooks: the outbox cannot be cleared; trying again')
        },
      )
    }
    const timer = setInterval(keep, keepMs)
    timer.unref()
    app.ledger.onStored(events => watch.mark(events))
    // Limits may be others now, and somebody may listen who did not before.
    configuration.onReload(() => ({ commit: () => watch.sweep() }))
    database.firstContact.then(
      () => {
        keep()
        watch.sweep()
      },
      // Closed before the database has answered.
      () => undefined,
    )
    app.decorate('webhooks', { deliver: () => courier.look() })
    app.addHook('onClose', async () => {
      clearInterval(timer)
      const late = setTimeout(() => void poster.close(), closeMs)
      void app.drain.hurried.then(() => poster.close())
      await Promise.all([watch.stop(), courier.stop()])
      clearTimeout(late)
      await poster.close()
    })
  },
  { name: 'webhooks', fastify: '5.x', dependencies: ['drain', 'configuration', 'metrics', 'postgres', 'ledger'] },
)
