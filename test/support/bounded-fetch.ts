/** Longer than any answer of the tests, streams too; fetch itself waits for five minutes. */
const maxMs = 60_000

/** `fetch` whose answer is there, with its whole body, within a minute, or an error is. */
export const boundedFetch: typeof fetch = (input, init) => {
  const given = init?.signal ?? (input instanceof Request ? input.signal : null)
  const bound = AbortSignal.timeout(maxMs)
  return fetch(input, { ...init, signal: given ? AbortSignal.any([given, bound]) : bound })
}
