/**
 * What the use of a model costs. USD per million tokens with six decimals are whole pico-USD a token, so that nothing is
 * rounded before the sum: a cost is rounded once, to whole nano-USD.
 */
import { hash } from 'node:crypto'
import { parseDecimal, parseUsd } from './money.ts'

interface PriceOrigin {
  /** Names this very price of this very model or target, for ever: its day, and a digest of whose it is and the amounts. */
  readonly version: string
  /** When it begins, in milliseconds since 1970. */
  readonly fromMs: number
}

interface TokenPrice extends PriceOrigin {
  readonly kind: 'token'
  readonly inputPicoUsd: number
  readonly cachedInputPicoUsd: number
  readonly outputPicoUsd: number
}

interface TimePrice extends PriceOrigin {
  readonly kind: 'time'
  readonly nanoUsdPerSecond: number
}

export type Price = TokenPrice | TimePrice

/** As the configuration has it: a day, and decimal text. */
export interface PriceText {
  readonly from: string
  readonly input?: string | undefined
  readonly cachedInput?: string | undefined
  readonly output?: string | undefined
  readonly perSecond?: string | undefined
}

/** What a price is asked for. */
export interface Use {
  /** With those that came from the prompt cache. */
  readonly inputTokens: number
  readonly cachedInputTokens: number
  readonly outputTokens: number
  /** Of backend time. */
  readonly durationMs: number
}

/** What a use keeps within. */
export type UseBound = Omit<Use, 'cachedInputTokens'>

/** Where a price holds that is not the model's. */
interface PricedTarget {
  readonly backend: string
  /** The backend's own name for the model. */
  readonly model: string
}

/**
 * Of a model, or of one of its targets. An amount that is absent beside others is 0; only cached input costs what input costs.
 * Throws a RangeError for what is no amount.
 */
export function parsePrice(model: string, text: PriceText, target?: PricedTarget): Price {
  const { from, input = '0', cachedInput = input, output = '0', perSecond } = text
  const fromMs = Date.parse(`${from}T00:00:00Z`)
  const priceOf = <Amounts extends object>(amounts: Amounts) => {
    // Events name prices of models by this very digest, so what targets add to it comes after, and for them alone.
    const owner = target === undefined ? [] : [target.backend, target.model]
    const digest = hash('sha256', JSON.stringify([model, from, amounts, ...owner])).slice(0, 16)
    return { version: `${from}-${digest}`, fromMs, ...amounts }
  }
  if (perSecond !== undefined) return priceOf({ kind: 'time', nanoUsdPerSecond: parseUsd(perSecond) })
  const [inputPicoUsd, cachedInputPicoUsd, outputPicoUsd] = [
    parseDecimal(input, picoDecimals),
    parseDecimal(cachedInput, picoDecimals),
    parseDecimal(output, picoDecimals),
  ]
  return priceOf({ kind: 'token', inputPicoUsd, cachedInputPicoUsd, outputPicoUsd })
}

/** Of USD per million tokens. */
const picoDecimals = 6

/** The newest of the prices whose day has begun, UTC; null where there is none. They are in the order of their days. */
export function priceAt(prices: readonly Price[], nowMs: number): Price | null {
  return prices.findLast(({ fromMs }) => fromMs <= nowMs) ?? null
}

/** What a use costs, in nano-USD, rounded half up; 0 without a price, at most 2^53 - 1. */
export function costOf(price: Price | null, { inputTokens, cachedInputTokens, outputTokens, durationMs }: Use): number {
  if (price === null) return 0
  if (price.kind === 'time') {
    const cost = BigInt(price.nanoUsdPerSecond) * whole(Math.round(durationMs * 1000))
    return saturated((cost + microsPerSecond / 2n) / microsPerSecond)
  }
  const input = whole(inputTokens)
  // An engine's word: more tokens than there are cannot have been cached.
  const cached = whole(Math.min(cachedInputTokens, inputTokens))
  const cost =
    (input - cached) * BigInt(price.inputPicoUsd) +
    cached * BigInt(price.cachedInputPicoUsd) +
    whole(outputTokens) * BigInt(price.outputPicoUsd)
  return saturated((cost + picoPerNano / 2n) / picoPerNano)
}

/** What no use within these bounds can cost more than, in nano-USD; 0 without a price, at most 2^53 - 1. */
export function costAtMost(price: Price | null, { inputTokens, outputTokens, durationMs }: UseBound): number {
  if (price === null) return 0
  if (price.kind === 'time') {
    const cost = BigInt(price.nanoUsdPerSecond) * whole(Math.ceil(durationMs * 1000))
    return saturated((cost + microsPerSecond - 1n) / microsPerSecond)
  }
  // How much of it the cache has is not known before, and it may even be the dearer one.
  const dearest = BigInt(Math.max(price.inputPicoUsd, price.cachedInputPicoUsd))
  const cost = whole(inputTokens) * dearest + whole(outputTokens) * BigInt(price.outputPicoUsd)
  return saturated((cost + picoPerNano - 1n) / picoPerNano)
}

const picoPerNano = 1000n
/** Time is counted in whole microseconds. */
const microsPerSecond = 1_000_000n

const whole = (count: number): bigint => (count > 0 ? BigInt(Math.min(count, Number.MAX_SAFE_INTEGER)) : 0n)

const saturated = (cost: bigint): number => Number(cost > maxCost ? maxCost : cost)
const maxCost = BigInt(Number.MAX_SAFE_INTEGER)
