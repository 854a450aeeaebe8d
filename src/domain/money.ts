/** Money as whole numbers. What people write is decimal text in USD; what is counted are nano-USD, billionths of a dollar. */

const nanoDecimals = 9
const nanoUsdPerUsd = 10 ** nanoDecimals

/** 9 million USD in nano-USD: the most that the doubles of Redis' scripts add up without losing one. */
const maxNanoUsd = 9_000_000 * nanoUsdPerUsd

/**
 * Decimal text such as `0.50` as a whole number of units of which 10^`decimals` make one.
 *
 * @throws RangeError where it has another form, more decimals than can be counted, or more units than a number holds exactly.
 */
export function parseDecimal(text: string, decimals: number): number {
  const [, whole = '', fraction = ''] = /^([0-9]{1,9})(?:\.([0-9]+))?$/.exec(text) ?? []
  const units = Number(whole + fraction.padEnd(decimals, '0'))
  if (whole !== '' && fraction.length <= decimals && Number.isSafeInteger(units)) return units
  throw new RangeError(`${JSON.stringify(text)} is not an amount: digits, a point and at most ${decimals} decimals`)
}

/**
 * USD as decimal text in nano-USD.
 *
 * @throws RangeError where it is no amount of at most 9 million USD with at most 9 decimals.
 */
export function parseUsd(text: string): number {
  const nanoUsd = parseDecimal(text, nanoDecimals)
  if (nanoUsd <= maxNanoUsd) return nanoUsd
  throw new RangeError(`${text} USD are more than can be counted exactly: at most 9000000`)
}

/** The shortest decimal text of a whole number of nano-USD, exact at any size: 12_500_000_000 is `12.5`. */
export const formatUsd = (nanoUsd: number | bigint): string => formatDecimal(nanoUsd, nanoDecimals)

/** The same of any units of which 10^`decimals` make one. */
export function formatDecimal(units: number | bigint, decimals: number): string {
  const all = BigInt(units)
  const digits = String(all < 0n ? -all : all).padStart(decimals + 1, '0')
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '')
  return `${all < 0n ? '-' : ''}${digits.slice(0, digits.length - decimals)}${fraction && `.${fraction}`}`
}
