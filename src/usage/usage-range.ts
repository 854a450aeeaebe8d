/** Ranges of time, as they are asked for. */
import { invalid, parseTime } from '../admin/context.ts'
import type { TimeRange } from '../domain/usage-range.ts'

export interface RangeInput {
  readonly from?: string
  readonly to?: string
}

export const minuteMs = 60_000
export const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const defaultDays = 30
/** The year 9999: later than anything there can be. */
export const endOfTimeMs = Date.UTC(9999, 0)

/**
 * Without a beginning it is `sinceMs`, that of the pages before; on the first page that of the day 30 days ago. Throws where
 * it is no range.
 */
export function readRange({ from, to }: RangeInput, sinceMs: number | undefined): TimeRange {
  const today = Math.floor(Date.now() / dayMs) * dayMs
  const fromMs = from === undefined ? (sinceMs ?? today - defaultDays * dayMs) : parseTime(from, 'from').getTime()
  const untilMs = to === undefined ? endOfTimeMs : parseTime(to, 'to').getTime()
  if (fromMs < untilMs) return { fromMs, untilMs }
  const fix =
    from === undefined
      ? `send a 'from' before it: without one it is ${new Date(fromMs).toISOString()}`
      : `send a later 'to', which is the first moment that is not meant any more`
  throw invalid('to', `to is not after the beginning of the time that is asked for: ${fix}.`)
}

/** The same, of whole hours. */
export const readHours = (input: RangeInput, sinceMs: number | undefined): TimeRange =>
  readWhole(input, sinceMs, { ms: hourMs, named: 'an hour', what: 'what was used is added up by the hour' })

/** The same, of whole minutes. */
export const readMinutes = (input: RangeInput, sinceMs: number | undefined): TimeRange =>
  readWhole(input, sinceMs, { ms: minuteMs, named: 'a minute', what: 'what was refused is counted by the minute' })

interface Unit {
  readonly ms: number
  readonly named: string
  readonly what: string
}

function readWhole(input: RangeInput, sinceMs: number | undefined, unit: Unit): TimeRange {
  const range = readRange(input, sinceMs)
  requireWhole('from', { timeMs: range.fromMs, text: input.from }, unit)
  requireWhole('to', { timeMs: range.untilMs, text: input.to }, unit)
  return range
}

/** Of what is shorter than a millisecond times of the program have lost all, so the text is looked at as well. */
const hasMicroseconds = (text: string | undefined): boolean => /\.[0-9]{3}[0-9]*[1-9]/.test(text ?? '')

interface Asked {
  readonly timeMs: number
  readonly text: string | undefined
}

function requireWhole(param: 'from' | 'to', { timeMs, text }: Asked, { ms, named, what }: Unit): void {
  if (timeMs % ms === 0 && !hasMicroseconds(text)) return
  const whole = new Date(timeMs - (timeMs % ms)).toISOString()
  throw invalid(param, `${param} must be the beginning of ${named}, such as ${whole}: ${what}.`)
}
