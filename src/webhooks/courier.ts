import type { Sql } from 'postgres'
import { outcomeOfReply, redeliveryWaitMs, type TryOutcome, type WebhookReply } from '../domain/webhook-delivery.ts'
import { isUnavailable } from '../store/deadline.ts'
import { type ClaimedDelivery, claimDeliveries, endTry } from '../store/webhook-deliveries.ts'
import type { Posting } from './poster.ts'

export interface CourierOptions {
  readonly sql: Sql
  /** Whether the database can be asked now. */
  readonly isReachable: () => boolean
  /** By name, as the configuration has them now. */
  readonly receivers: () => Readonly<Record<string, Pick<Posting, 'url' | 'secret'>>>
  readonly post: (posting: Posting) => Promise<WebhookReply>
  /** A try has ended: `retry` where it failed and is tried again. */
  readonly onTry: (outcome: 'delivered' | 'retry' | 'dead') => void
  readonly log: { warn(details: object, message: string): void; info(details: object, message: string): void }
  readonly times?: CourierTimes
}

export interface CourierTimes {
  /** How often the outbox is looked into. */
  readonly pollMs: number
  /** How long a try may take with all that belongs to it, before another replica may begin one. */
  readonly leaseMs: number
  /** How long to wait for the next one. */
  readonly waitMs: (tries: number, leastMs: number) => number
}

const defaultTimes: CourierTimes = {
  pollMs: 1000,
  leaseMs: 30_000,
  waitMs: (tries, leastMs) => redeliveryWaitMs(tries, Math.random(), leastMs),
}

/** Of each receiver: one that is slow holds up nobody but itself. */
const maxAtOnce = 4

/**
 * Brings what is in the outbox to its receivers, at least once. Replicas share the work; one that is killed leaves a lease
 * behind, after which the others go on.
 */
export class Courier {
  readonly #options: CourierOptions
  readonly #times: CourierTimes
  readonly #underWay = new Map<string, Set<Promise<void>>>()
  readonly #poll: NodeJS.Timeout
  #looking: Promise<void> | null = null
  #isOutdated: boolean = false
  #isStopped: boolean = false

  constructor(options: CourierOptions) {
    this.#options = options
    this.#times = options.times ?? defaultTimes
    this.#poll = setInterval(() => this.look(), this.#times.pollMs)
    this.#poll.unref()
  }

  /** Something may be due. */
  look(): void {
    this.#isOutdated = true
    this.#looking ??= this.#lookOn().finally(() => {
      this.#looking = null
    })
  }

  /** Begins nothing more, and waits for what is under way: whoever posts is to end it. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#poll)
    await this.#looking
    await Promise.all([...this.#underWay.values()].flatMap(tries => [...tries]))
  }

  async #lookOn(): Promise<void> {
    const { sql, isReachable, log } = this.#options
    while (this.#isOutdated && !this.#isStopped && isReachable()) {
      this.#isOutdated = false
      const wanted = Object.keys(this.#options.receivers())
        .map(webhook => ({ webhook, room: maxAtOnce - (this.#underWay.get(webhook)?.size ?? 0) }))
        .filter(({ room }) => room > 0)
      if (wanted.length === 0) return
      try {
        for (const delivery of await claimDeliveries(sql, wanted, this.#times.leaseMs)) this.#begin(delivery)
      } catch (err) {
        // An outage is said by whoever keeps in touch with the database.
        if (!isUnavailable(err)) log.warn({ err }, 'webhooks: the outbox cannot be read; trying again')
        return
      }
    }
  }

  #begin(delivery: ClaimedDelivery): void {
    const tries = this.#underWay.get(delivery.webhook) ?? new Set()
    this.#underWay.set(delivery.webhook, tries)
    const ended = this.#deliver(delivery).then(() => {
      tries.delete(ended)
      if (tries.size === 0) this.#underWay.delete(delivery.webhook)
      // There is room for another one.
      this.look()
    })
    tries.add(ended)
  }

  async #deliver(delivery: ClaimedDelivery): Promise<void> {
    const { sql, post, onTry, log } = this.#options
    const { id, webhook, body, tries } = delivery
    const receivers = this.#options.receivers()
    const receiver = Object.hasOwn(receivers, webhook) ? receivers[webhook] : undefined
    // Taken away meanwhile: whoever still has it gets it after the lease.
    if (receiver === undefined) return
    try {
      const reply = await post({ url: receiver.url, secret: receiver.secret, id, body })
      const outcome: TryOutcome = outcomeOfReply(reply)
      const error = outcome === 'delivered' ? null : reasonOf(reply)
      const waitMs = this.#times.waitMs(tries, reply.kind === 'status' ? reply.retryAfterMs : 0)
      const state = await endTry(sql, delivery, { outcome, error, waitMs })
      if (state === 'lost') return
      onTry(state === 'pending' ? 'retry' : state)
      if (state === 'dead') log.warn({ id, webhook, tries, reason: error }, 'webhooks: a delivery was given up')
      else if (state === 'pending' && tries === 1)
        log.info({ id, webhook, reason: error }, 'webhooks: a delivery failed; trying on')
    } catch (err) {
      // After its lease it is tried again: at least once is what is promised.
      if (!isUnavailable(err)) log.warn({ err, id, webhook }, 'webhooks: what became of a delivery cannot be kept')
    }
  }
}

const reasonOf = (reply: WebhookReply): string => (reply.kind === 'status' ? `status ${reply.status}` : reply.reason)
