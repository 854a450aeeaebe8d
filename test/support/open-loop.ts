import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from './eventually.ts'

/** How long a machine may take until it keeps up with a rate, and the least that is a load. */
const maxCalmMs = 10_000
const leastPerSecond = 100

export interface Sample {
  /** When it was sent, by performance.now(). */
  readonly atMs: number
  readonly durationMs: number
  readonly status: number
}

export interface OpenLoop {
  /** What it sends now. */
  readonly perSecond: number
  /** From now on half as many. */
  halve(): void
  /** Of all that were answered so far, in the order of their answers. */
  readonly samples: readonly Sample[]
  /** Sends no more, and waits for what is under way. */
  stop(): Promise<void>
}

/** Sends `perSecond` requests evenly, whether the earlier ones have been answered or not. */
export function startOpenLoop(firstPerSecond: number, send: () => Promise<number>): OpenLoop {
  const samples: Sample[] = []
  const underWay = new Set<Promise<void>>()
  let perSecond = firstPerSecond
  let [beganAt, sent] = [performance.now(), 0]
  let isRunning = true
  const one = async () => {
    const atMs = performance.now()
    const status = await send()
    samples.push({ atMs, durationMs: performance.now() - atMs, status })
  }
  const schedule = async () => {
    while (isRunning) {
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
    get perSecond() {
      return perSecond
    },
    halve() {
      perSecond /= 2
      beganAt = performance.now()
      sent = 0
    },
    async stop() {
      isRunning = false
      await scheduled
      await Promise.all(underWay)
    },
  }
}

/**
 * Fulfilled when what was sent in the last `overMs` was answered in time, by a p99 of `maxMs` over its windows. Where a
 * machine cannot keep up nobody can tell what an outage adds, and a slower one gets half as many, as often as it takes:
 * what is asked of the outage stays the same.
 */
export async function untilCalm(load: OpenLoop, { overMs, maxMs }: { overMs: number; maxMs: number }): Promise<void> {
  const isCalm = () => {
    // Those of the last moment are still under way; who is older and unanswered is missing here.
    const untilMs = performance.now() - maxMs
    const answered = sentBetween(load.samples, untilMs - overMs, untilMs).length
    const isKeepingUp = answered >= (overMs * load.perSecond * 0.95) / 1000
    return isKeepingUp && windowedP99(load, untilMs - overMs, untilMs) <= maxMs
  }
  for (;;) {
    await sleep(overMs)
    const description = `a p99 of ${maxMs} ms before the outage, at ${load.perSecond}/s`
    try {
      return await eventually(description, isCalm, { withinMs: maxCalmMs, everyMs: 250 }).then(() => undefined)
    } catch (error) {
      if (load.perSecond <= leastPerSecond) throw error
      load.halve()
    }
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
