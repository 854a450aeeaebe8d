import { setTimeout as sleep } from 'node:timers/promises'

export interface Sample {
  /** When it was sent, by performance.now(). */
  readonly atMs: number
  readonly durationMs: number
  readonly status: number
}

export interface OpenLoop {
  /** Of all that were answered so far, in the order of their answers. */
  readonly samples: readonly Sample[]
  /** Sends no more, and waits for what is under way. */
  stop(): Promise<void>
}

/** Sends `perSecond` requests evenly, whether the earlier ones have been answered or not. */
export function startOpenLoop(perSecond: number, send: () => Promise<number>): OpenLoop {
  const samples: Sample[] = []
  const underWay = new Set<Promise<void>>()
  const beganAt = performance.now()
  let isRunning = true
  const one = async () => {
    const atMs = performance.now()
    const status = await send()
    samples.push({ atMs, durationMs: performance.now() - atMs, status })
  }
  const schedule = async () => {
    for (let sent = 0; isRunning; ) {
      const due = Math.floor(((performance.now() - beganAt) * perSecond) / 1000)
      for (; sent < due; sent += 1) {
        const request = one().finally(() => underWay.delete(request))
        underWay.add(request)
      }
      await sleep(1)
    }
  }
  const scheduled = schedule()
  return {
    samples,
    async stop() {
      isRunning = false
      await scheduled
      await Promise.all(underWay)
    },
  }
}

export function percentile(samples: readonly Sample[], part: number): number {
  const sorted = samples.map(({ durationMs }) => durationMs).sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * part) - 1] ?? 0
}

/** The median of the p99 of each window: one hiccup of the machine spoils one window. */
export function windowedP99({ samples }: OpenLoop, fromMs: number, untilMs: number, windowMs = 500): number {
  const p99s: number[] = []
  for (let at = fromMs; at + windowMs <= untilMs; at += windowMs) {
    p99s.push(percentile(sentBetween(samples, at, at + windowMs), 0.99))
  }
  p99s.sort((a, b) => a - b)
  return p99s[Math.floor(p99s.length / 2)] ?? 0
}

export const sentBetween = (samples: readonly Sample[], fromMs: number, untilMs: number): readonly Sample[] =>
  samples.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs)
