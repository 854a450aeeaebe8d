/**
 * What an account owes for a month, line by line. The amount of a line is the sum of what its requests have cost, each rounded
 * once when it ended. Quantity times price is nearly the same and never taken: it would be rounded elsewhere.
 */
import { monthName } from './billing-month.ts'
import { formatDecimal } from './money.ts'

/** All of them exact sums. */
export interface BilledUse {
  readonly requests: bigint
  /** How many of them have tokens that are not the engine's word. */
  readonly estimated: bigint
  /** With those that came from the prompt cache. */
  readonly inputTokens: bigint
  readonly cachedInputTokens: bigint
  readonly outputTokens: bigint
  readonly backendUs: bigint
}

interface LineOrigin {
  readonly amountNanoUsd: bigint
  /** The first moment of the month that it was used in, or that a credit corrects. */
  readonly monthMs: number
}

export interface UsageLine extends LineOrigin {
  readonly kind: 'usage'
  /** As it was asked for. */
  readonly model: string
  /** Null: it had no price, and nobody has said that it is free. */
  readonly priceVersion: string | null
  /** Null where the version was never recorded; the amount is exact all the same. */
  readonly prices: UnitPrices | null
  readonly use: BilledUse
}

export interface CreditLine extends LineOrigin {
  readonly kind: 'credit'
  readonly creditId: string
  readonly reason: string
}

export type InvoiceLine = UsageLine | CreditLine

export interface InvoiceHead {
  /** The first moment of its month. */
  readonly monthMs: number
  readonly accountId: string
  /** Null where there is no such account, as after a database was restored. */
  readonly accountName: string | null
  readonly state: { readonly kind: 'draft' } | { readonly kind: 'closed'; readonly sequence: number; readonly at: Date }
  /** Of all lines; below 0 where credits are more than what was used. */
  readonly totalNanoUsd: bigint
  readonly lineCount: number
  readonly unpricedRequests: bigint
}

/** USD as decimal text: of tokens for a million, of time for a second. */
export type UnitPrices =
  | { readonly kind: 'token'; readonly input: string; readonly cachedInput: string; readonly output: string }
  | { readonly kind: 'time'; readonly second: string }

/** A price as it was recorded. Null for what none looks like. */
export function readUnitPrices(price: Readonly<Record<string, unknown>> | null): UnitPrices | null {
  const amount = (name: string, decimals: number): string | null => {
    const units = price?.[name]
    return typeof units === 'number' && Number.isSafeInteger(units) ? formatDecimal(units, decimals) : null
  }
  const second = amount('nanoUsdPerSecond', 9)
  if (price?.['kind'] === 'time' && second !== null) return { kind: 'time', second }
  // A pico-USD a token is a millionth of a USD for a million of them.
  const [input, cachedInput, output] = [
    amount('inputPicoUsd', 6),
    amount('cachedInputPicoUsd', 6),
    amount('outputPicoUsd', 6),
  ]
  if (price?.['kind'] !== 'token' || input === null || cachedInput === null || output === null) return null
  return { kind: 'token', input, cachedInput, output }
}

/** What is priced as input and not as cached input. */
export const uncachedTokens = ({ inputTokens, cachedInputTokens }: BilledUse): bigint =>
  inputTokens > cachedInputTokens ? inputTokens - cachedInputTokens : 0n

/** Whether it was used in another month than the invoice is of: it came in when that was closed already. */
export const isLate = ({ kind, monthMs }: InvoiceLine, invoice: InvoiceHead): boolean =>
  kind === 'usage' && monthMs !== invoice.monthMs

/** For ever the same, and no other one has it. */
export const numberOf = (monthMs: number, sequence: number): string =>
  `${monthName(monthMs)}-${String(sequence).padStart(6, '0')}`
