/** By which price the use of a model is counted: that of the target that answers, or else the model's. */
import type { EndpointName } from '../schemas/config/models.ts'
import type { Model, Target } from './catalog.ts'
import { costAtMost, type Price, priceAt, type UseBound } from './price.ts'

type PricedModel = Pick<Model, 'prices' | 'targets'>

/** The one that holds at this time (milliseconds since 1970) for what this target of the model answers; null where none does. */
export function priceOf({ prices }: Pick<Model, 'prices'>, target: Target, nowMs: number): Price | null {
  const own = target.prices === undefined ? null : priceAt(target.prices, nowMs)
  return own ?? priceAt(prices, nowMs)
}

/** Whether a target of the model may answer that has no price at this time. */
export const isUnpriced = (model: PricedModel, nowMs: number): boolean =>
  model.targets.some(target => target.weight > 0 && priceOf(model, target, nowMs) === null)

export interface PriceQuestion {
  readonly model: PricedModel
  readonly operation: EndpointName
  /** In milliseconds since 1970. */
  readonly atMs: number
}

/** Of the prices of those targets that may answer the one by which this use may cost the most; null where none has a price. */
export function dearestPrice({ model, operation, atMs }: PriceQuestion, use: UseBound): Price | null {
  let dearest: Price | null = null
  for (const target of model.targets) {
    if (target.weight === 0 || !target.endpoints.has(operation)) continue
    const price = priceOf(model, target, atMs)
    // Nearly always all have the same, and then there is nothing to work out.
    if (price === null || price === dearest) continue
    if (dearest === null || costAtMost(price, use) > costAtMost(dearest, use)) dearest = price
  }
  return dearest ?? priceAt(model.prices, atMs)
}
