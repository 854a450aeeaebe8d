import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Asks again and again until `condition` gives something true, and returns that. Only for what has no event to wait for.
 * What a failing `condition` threw last is the failure's cause: an assertion inside it shows its own difference.
 */
export async function eventually<T>(
  description: string,
  condition: () => T | Promise<T>,
  { withinMs = 5_000, everyMs = 10 } = {},
): Promise<T> {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    let last: { value: T } | { error: unknown }
    try {
      last = { value: await condition() }
    } catch (error) {
      last = { error }
    }
    if ('value' in last && last.value) return last.value
    if (performance.now() >= deadlineMs) {
      const seen = 'value' in last ? String(last.value) : `an error: ${last.error}`
      throw new Error(`not within ${withinMs} ms: ${description}; last seen: ${seen}`, {
        cause: 'error' in last ? last.error : undefined,
      })
    }
    await sleep(everyMs)
  }
}
