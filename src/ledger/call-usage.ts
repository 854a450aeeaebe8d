import { type CallRecord, durationOf, outcomeOf } from '../backend/call.ts'
import type { Model } from '../domain/catalog.ts'
import type { Demand } from '../domain/demand.ts'
import { priceOf } from '../domain/model-price.ts'
import { formatUsd } from '../domain/money.ts'
import { costOf, type Price, priceAt } from '../domain/price.ts'
import { type Settlement, settlementOf } from '../domain/settlement.ts'

/** What a call used and what that costs: the same for its limits and for the ledger. */
export interface CallUsage extends Settlement {
  /** Whether its caller had something of it, or left while a backend was at it: only then does it cost anything. */
  readonly isServed: boolean
  /** By which it is counted; null where neither the target that answered nor its model has one. */
  readonly price: Price | null
  /** How long backends were busy with what its caller had something of. */
  readonly backendMs: number
  readonly costNanoUsd: number
  /** What it would have cost beyond that, had backends been asked for what was answered from the cache. */
  readonly savedNanoUsd: number
}

export interface MeasuredCall {
  readonly record: CallRecord
  /** The model that was asked. */
  readonly model: Model
  /** What was held for it. */
  readonly demand: Demand
  /** By the prices of this time, in milliseconds since 1970. */
  readonly pricedAtMs: number
}

const measured = new WeakMap<CallRecord, CallUsage>()

/**
 * Once it is over. Who asks later is told the same: a call that is still being ended at its backend must not cost one thing
 * here and another there.
 */
export function usageOf(call: MeasuredCall): CallUsage {
  const known = measured.get(call.record)
  if (known !== undefined) return known
  const usage = measure(call)
  measured.set(call.record, usage)
  return usage
}

/** What its caller was to be told of it does not hold any more: it is given an error instead. */
export function forgetUsage(record: CallRecord): void {
  measured.delete(record)
}

/** The same in USD, as its caller is told; null where what answered has no price, since that is not 0. */
export function costTextOf(call: MeasuredCall): string | null {
  const { price, costNanoUsd } = usageOf(call)
  return price === null ? null : formatUsd(costNanoUsd)
}

function measure({ record, model, demand, pricedAtMs }: MeasuredCall): CallUsage {
  const outcome = outcomeOf(record)
  const settlement = settlementOf(outcome, { inputTokens: demand.promptTokens, outputTokens: demand.outputTokens })
  const isServed = outcome.isSent && (outcome.hasContent || !outcome.hasFailed)
  // A backend's time that the caller had nothing of costs it nothing, as the tokens do.
  const backendMs = isServed ? durationOf(record) : 0
  // After a fallback another model has answered than was asked. Where nobody was asked it costs nothing by whatever price.
  const price =
    record.target === null
      ? (priceAt(model.prices, pricedAtMs) ?? demand.price)
      : priceOf(record.model ?? model, record.target, pricedAtMs)
  const costNanoUsd = costOf(price, { ...settlement, durationMs: backendMs })
  const { reused } = record
  if (reused === undefined) return { ...settlement, isServed, price, backendMs, costNanoUsd, savedNanoUsd: 0 }
  // No backend's time went into it, so by such a price it is free, and nobody knows what it saved.
  const anewNanoUsd = costOf(price, { ...reused.usage, durationMs: 0 })
  const sharedNanoUsd = Math.round(anewNanoUsd * reused.priceShare)
  return {
    ...settlement,
    requests: 1,
    isServed,
    price,
    backendMs,
    costNanoUsd: costNanoUsd + sharedNanoUsd,
    savedNanoUsd: anewNanoUsd - sharedNanoUsd,
  }
}
