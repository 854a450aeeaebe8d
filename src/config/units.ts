/** The units of weir.yaml: text with its unit in it to a number and back. */

const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const byteUnits = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

/** What people write instead of the binary units. */
const byteUnitAliases: Readonly<Record<string, string>> = {
  b: 'B',
  k: 'KiB',
  kb: 'KiB',
  kib: 'KiB',
  m: 'MiB',
  mb: 'MiB',
  mib: 'MiB',
  g: 'GiB',
  gb: 'GiB',
  gib: 'GiB',
}
const durationUnitAliases: Readonly<Record<string, string>> = {
  msec: 'ms',
  millis: 'ms',
  sec: 's',
  secs: 's',
  second: 's',
  seconds: 's',
  min: 'm',
  mins: 'm',
  minute: 'm',
  minutes: 'm',
  hour: 'h',
  hours: 'h',
  day: 'd',
  days: 'd',
}

/** `30s` → 30000 milliseconds; undefined when it is not a whole number and one of ms, s, m, h, d. */
export function parseDuration(text: string): number | undefined {
  return parseWithUnit(text, durationUnits)
}

/** `8MiB` → 8388608 bytes; undefined when it is not a whole number and one of B, KiB, MiB, GiB. */
export function parseByteSize(text: string): number | undefined {
  return parseWithUnit(text, byteUnits)
}

/** The shortest text that `parseDuration` turns into the same number. */
export function formatDuration(milliseconds: number): string {
  return formatWithUnit(milliseconds, durationUnits)
}

/** The shortest text that `parseByteSize` turns into the same number. */
export function formatByteSize(bytes: number): string {
  return formatWithUnit(bytes, byteUnits)
}

/** `30 sec` → `30s`: what a misspelt duration was probably meant to be. */
export function guessDuration(text: string): string | undefined {
  return guess(text, durationUnits, durationUnitAliases)
}

/** `8MB` → `8MiB`: what a misspelt size was probably meant to be. */
export function guessByteSize(text: string): string | undefined {
  return guess(text, byteUnits, byteUnitAliases)
}

type Units = Readonly<Record<string, number>>

function parseWithUnit(text: string, units: Units): number | undefined {
  const match = /^([0-9]{1,9})([A-Za-z]{1,3})$/.exec(text)
  const factor = match?.[2] !== undefined && Object.hasOwn(units, match[2]) ? units[match[2]] : undefined
  return factor === undefined ? undefined : Number(match?.[1]) * factor
}

function formatWithUnit(value: number, units: Units): string {
  const [smallest = ''] = Object.keys(units)
  const exact = Object.entries(units).filter(([, factor]) => value >= factor && value % factor === 0)
  const [unit, factor] = exact.at(-1) ?? [smallest, 1]
  return `${value / factor}${unit}`
}

function guess(text: string, units: Units, aliases: Readonly<Record<string, string>>): string | undefined {
  const match = /^\s*([0-9]{1,9})\s*([A-Za-z]{1,12})\s*$/.exec(text)
  const word = match?.[2]?.toLowerCase() ?? ''
  const unit = Object.hasOwn(units, word) ? word : Object.hasOwn(aliases, word) ? aliases[word] : undefined
  return unit === undefined ? undefined : `${match?.[1]}${unit}`
}
