/** Tells all replicas, through Redis, what has been changed, so that none believes what it remembers for longer. */
import { once } from 'node:events'
import type { Redis } from 'ioredis'
import type { Change } from '../domain/change.ts'
import { parseShape } from '../schemas/check.ts'
import { Type } from '../schemas/typebox.ts'
import { connectRedis } from './redis-client.ts'

const channel = 'weir:changes'
const pulseMs = 1000
const pulseTimeoutMs = 1000
const retryMs = 500
/** By then every replica has asked the database again by itself (auth.keyCacheTtl). */
const maxAgeMs = 30_000
const maxUnsent = 1000
const outsiderTimeoutMs = 500

const ChangeSchema = Type.Object({
  kind: Type.Union([Type.Literal('account'), Type.Literal('key'), Type.Literal('experiment')]),
  id: Type.String({ minLength: 1, maxLength: 128 }),
})

interface FeedLog {
  warn(details: object, message: string): void
}

/** Sends changes out. What Redis does not take at once is tried again for as long as it is of use. */
export class ChangeSender {
  readonly #redis: Redis
  readonly #log: FeedLog
  readonly #unsent = new Map<Change, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(redis: Redis, log: FeedLog) {
    this.#redis = redis
    this.#log = log
  }

  /** Resolves once it was sent or has been put aside; never rejects. */
  async send(change: Change): Promise<void> {
    if (await this.#publish(change)) return
    this.#log.warn({ ...change }, 'a change could not be told to the other replicas; trying again')
    if (this.#unsent.size < maxUnsent) this.#unsent.set(change, Date.now() + maxAgeMs)
    this.#retrySoon()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  async #publish(change: Change): Promise<boolean> {
    try {
      await this.#redis.publish(channel, JSON.stringify(change))
      return true
    } catch {
      return false
    }
  }

  #retrySoon(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#retry(), retryMs)
    this.#timer.unref()
  }

  async #retry(): Promise<void> {
    for (const [change, endsAtMs] of this.#unsent) {
      if (Date.now() >= endsAtMs || (await this.#publish(change))) this.#unsent.delete(change)
    }
    if (this.#unsent.size > 0) this.#retrySoon()
  }
}

/** Tells the running replicas from outside of them; whether Redis took it, within a second. Never rejects. */
export async function sendChanges(redisUrl: string, changes: readonly Change[]): Promise<boolean> {
  if (changes.length === 0) return true
  const redis = connectRedis(redisUrl, { commandTimeout: outsiderTimeoutMs })
  try {
    // `error` rejects the wait; one that comes later is of no interest.
    await once(redis, 'ready')
    await Promise.all(changes.map(change => redis.publish(channel, JSON.stringify(change))))
    return true
  } catch {
    return false
  } finally {
    redis.on('error', () => {})
    redis.disconnect()
  }
}

export interface ChangeListener {
  readonly changed: (change: Change) => void
  /** Whoever was not connected may have missed some. */
  readonly missed: () => void
}

/** Receives the changes of all replicas on a connection of its own, and notices within three seconds that it is lost. */
export class ChangeReceiver {
  readonly #redis: Redis
  readonly #pulse: NodeJS.Timeout

  constructor(redis: Redis, { changed, missed }: ChangeListener) {
    this.#redis = redis
    // It reconnects by itself, which says nothing about what was sent meanwhile.
    redis.on('ready', () => redis.subscribe(channel).then(missed, () => redis.disconnect(true)))
    redis.on('message', (_channel, text) => {
      const change = parseChange(text)
      if (change !== null) changed(change)
    })
    this.#pulse = setInterval(() => void this.#check(), pulseMs)
    this.#pulse.unref()
  }

  stop(): void {
    clearInterval(this.#pulse)
    this.#redis.disconnect()
  }

  /** A subscriber waits for ever where the other side is gone without a word. */
  async #check(): Promise<void> {
    if (this.#redis.status !== 'ready') return
    try {
      await this.#redis.ping()
    } catch {
      this.#redis.disconnect(true)
    }
  }
}

/** What a receiver's connection does differently: nobody waits for it, so a slow answer is no reason to leave. */
export const receiverOptions = {
  connectionName: 'weir-changes',
  commandTimeout: pulseTimeoutMs,
  autoResubscribe: false,
}

function parseChange(text: string): Change | null {
  try {
    return parseShape(ChangeSchema, JSON.parse(text))
  } catch {
    return null
  }
}
