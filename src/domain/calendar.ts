/** Days and months in UTC, which calendar counts begin and end with. */

export interface Period {
  /** 2026-11-24 or 2026-11. */
  readonly id: string
  readonly fromUs: number
  /** The first microsecond after it. */
  readonly untilUs: number
}

/** The day or month that `nowUs` (microseconds since 1970) is in. */
export function periodAt(unit: 'day' | 'month', nowUs: number): Period {
  const now = new Date(Math.floor(nowUs / 1000))
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()]
  const bounds =
    unit === 'day'
      ? [Date.UTC(year, month, day), Date.UTC(year, month, day + 1)]
      : [Date.UTC(year, month), Date.UTC(year, month + 1)]
  const [fromMs = 0, untilMs = 0] = bounds
  const id = new Date(fromMs).toISOString().slice(0, unit === 'day' ? 10 : 7)
  return { id, fromUs: fromMs * 1000, untilUs: untilMs * 1000 }
}
