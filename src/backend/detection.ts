import type { Backend } from './backend.ts'
import type { Engine } from './engine.ts'
import { deadlinePassed } from './fault.ts'

/** What a timer of Node's can take: with more it would fire at once. */
const maxTimerMs = 2 ** 31 - 1

/** What kind of server it is, by a caller's deadline on the monotonic clock. Rejects with a Fault. */
export async function detectEngine(backend: Backend, deadlineMs: number): Promise<Engine> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const leftMs = Math.min(maxTimerMs, Math.max(0, deadlineMs - performance.now()))
  const timer = setTimeout(() => reject(deadlinePassed()), leftMs)
  try {
    return await Promise.race([backend.getEngine(), late])
  } finally {
    clearTimeout(timer)
  }
}
