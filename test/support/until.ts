import { setTimeout as delay } from 'node:timers/promises'

/** Waits for what has no event to wait for. Throws when it has not come true in time. */
export async function until(what: string, isTrue: () => unknown, timeoutMs = 10_000): Promise<void> {
  const endsAt = performance.now() + timeoutMs
  while (!(await isTrue())) {
    if (performance.now() > endsAt) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await delay(5)
  }
}
