/** Months as they are billed: whole ones, UTC, called 2026-11. */
import { periodAt } from './calendar.ts'

/** The first moment of a month, in milliseconds since 1970. Throws a RangeError where it is none of 2020 to 9998. */
export function parseMonth(text: string): number {
  const [, year = '', month = ''] = /^([0-9]{4})-(0[1-9]|1[0-2])$/.exec(text) ?? []
  if (year < '2020' || year > '9998') throw new RangeError(`${JSON.stringify(text)} is not a month such as 2026-11`)
  return Date.UTC(Number(year), Number(month) - 1)
}

/** What the month is called that a moment is in. */
export const monthName = (atMs: number): string => periodAt('month', atMs * 1000).id

/** The first moment after the month that a moment is in. */
export const endOfMonth = (atMs: number): number => periodAt('month', atMs * 1000).untilUs / 1000
