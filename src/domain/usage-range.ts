/** Which hours, days and months make up a range of time: the sums of a month need not be added from those of its hours. */
import { periodAt } from './calendar.ts'

/** Milliseconds since 1970; `untilMs` is the first that is not in it. */
export interface TimeRange {
  readonly fromMs: number
  readonly untilMs: number
}

/** A part of a range, of which there are sums by the unit: it begins and ends with one, UTC. */
export interface RangePart extends TimeRange {
  readonly unit: 'hour' | 'day' | 'month'
}

export const hourMs = 3_600_000
export const dayMs = 24 * hourMs

/**
 * The hours before the first whole day, the whole days, the hours after them; what there is of it, in this order. Throws a
 * RangeError where the range does not begin and end with an hour: nothing shorter has sums.
 */
export function splitByDays({ fromMs, untilMs }: TimeRange): readonly RangePart[] {
  for (const timeMs of [fromMs, untilMs]) {
    if (timeMs % hourMs !== 0) throw new RangeError(`sums are by the hour: ${timeMs} ms is not the beginning of one`)
  }
  const firstMs = Math.min(Math.ceil(fromMs / dayMs) * dayMs, untilMs)
  const lastMs = Math.max(Math.floor(untilMs / dayMs) * dayMs, firstMs)
  return split({ fromMs, untilMs }, { firstMs, lastMs, inner: 'day', outer: 'hour' })
}

function split(
  { fromMs, untilMs }: TimeRange,
  parts: { firstMs: number; lastMs: number; inner: RangePart['unit']; outer: RangePart['unit'] },
): readonly RangePart[] {
  const { firstMs, lastMs, inner, outer } = parts
  const all: RangePart[] = [
    { unit: outer, fromMs, untilMs: firstMs },
    { unit: inner, fromMs: firstMs, untilMs: lastMs },
    { unit: outer, fromMs: lastMs, untilMs },
  ]
  return all.filter(part => part.fromMs < part.untilMs)
}

/** A part whose sums are to be added, or else to be taken away again. */
export interface SignedPart extends RangePart {
  readonly isAdded: boolean
}

/**
 * Whole months, and of months and days that are more than half in the range all but what is not: as few sums as make it up.
 * No part is in two months, but for whole ones. Throws a RangeError as `splitByDays` does.
 */
export function coverByMonths(range: TimeRange): readonly SignedPart[] {
  return splitByDays(range).length === 0 ? [] : cover(range, 'month', true)
}

function cover(range: TimeRange, unit: RangePart['unit'], isAdded: boolean): readonly SignedPart[] {
  const { fromMs, untilMs } = range
  if (fromMs >= untilMs) return []
  if (unit === 'hour') return [{ unit, fromMs, untilMs, isAdded }]
  const smaller = unit === 'month' ? 'day' : 'hour'
  const around = periodAt(unit, fromMs * 1000)
  const [startMs, endMs] = [around.fromUs / 1000, around.untilUs / 1000]
  if (fromMs === startMs && endMs <= untilMs) {
    const lastMs = periodAt(unit, untilMs * 1000).fromUs / 1000
    return [{ unit, fromMs, untilMs: lastMs, isAdded }, ...cover({ fromMs: lastMs, untilMs }, unit, isAdded)]
  }
  const partEndMs = Math.min(endMs, untilMs)
  const after = cover({ fromMs: partEndMs, untilMs }, unit, isAdded)
  if ((partEndMs - fromMs) * 2 <= endMs - startMs) {
    return [...cover({ fromMs, untilMs: partEndMs }, smaller, isAdded), ...after]
  }
  return [
    { unit, fromMs: startMs, untilMs: endMs, isAdded },
    ...cover({ fromMs: startMs, untilMs: fromMs }, smaller, !isAdded),
    ...cover({ fromMs: partEndMs, untilMs: endMs }, smaller, !isAdded),
    ...after,
  ]
}

/** A range in pieces that begin small and double, `firstMs` and more. */
export function* widening({ fromMs, untilMs }: TimeRange, firstMs: number): Generator<TimeRange> {
  let lengthMs = firstMs
  for (let startMs = fromMs; startMs < untilMs; lengthMs *= 2) {
    const endMs = Math.min(startMs + lengthMs, untilMs)
    yield { fromMs: startMs, untilMs: endMs }
    startMs = endMs
  }
}
