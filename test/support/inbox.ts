import { type EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** Things that happen, kept until a test asks for them: asking late misses nothing, asking early waits. */
export interface Inbox<T> {
  put(item: T): void
  /** The oldest item not yet taken that matches; waits for one up to `withinMs` (5 s), then throws. */
  take(matches?: (item: T) => boolean, withinMs?: number): Promise<T>
}

export function createInbox<T>(name: string): Inbox<T> {
  const items: T[] = []
  const waiting: { matches: (item: T) => boolean; resolve: (item: T) => void }[] = []
  return {
    put(item) {
      const index = waiting.findIndex(waiter => waiter.matches(item))
      const [waiter] = index < 0 ? [] : waiting.splice(index, 1)
      if (waiter === undefined) items.push(item)
      else waiter.resolve(item)
    },
    async take(matches = () => true, withinMs = 5_000) {
      const index = items.findIndex(matches)
      const [item] = index < 0 ? [] : items.splice(index, 1)
      if (item !== undefined) return item
      const { promise, resolve } = Promise.withResolvers<T>()
      const waiter = { matches, resolve }
      waiting.push(waiter)
      return await within(promise, withinMs, () => {
        waiting.splice(waiting.indexOf(waiter), 1)
        return `no ${name} within ${withinMs} ms (${items.length} others were not asked for)`
      })
    },
  }
}

/** `promise`, or an error with `describe()`'s text after `ms`. */
export async function within<T>(promise: Promise<T>, ms: number, describe: () => string): Promise<T> {
  const inTime = new AbortController()
  const deadline = sleep(ms, undefined, { signal: inTime.signal }).then(() => {
    throw new Error(describe())
  })
  try {
    return await Promise.race([promise, deadline])
  } finally {
    inTime.abort()
    // The abort rejects the timer's promise, and nobody is listening any more.
    deadline.catch(() => undefined)
  }
}

/** An event's arguments, or an error where it has not come within `ms`: node's own `once` waits for ever. */
export async function happens(emitter: EventEmitter, event: string, ms = 10_000): Promise<unknown[]> {
  const inTime = new AbortController()
  try {
    return await within(once(emitter, event, { signal: inTime.signal }), ms, () => `no '${event}' within ${ms} ms`)
  } finally {
    inTime.abort()
  }
}
