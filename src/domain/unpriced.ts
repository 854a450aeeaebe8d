/** Models whose use costs nothing because nobody has said what it costs; a price of 0 is a price. */
import type { Model } from './catalog.ts'
import { isUnpriced } from './model-price.ts'

/** Names of models are told apart up to here; backends list what they like. */
const maxKnown = 10_000
const maxListed = 20

/** Which of the models have no price, or a target without one, as long as nobody has been told. */
export class UnpricedModels {
  #told = new Set<string>()

  /** Those that have none at this time (milliseconds since 1970) and have not been returned before. */
  news(models: readonly Pick<Model, 'id' | 'prices' | 'targets'>[], nowMs: number): readonly string[] {
    const unpriced = models.filter(model => isUnpriced(model, nowMs)).map(({ id }) => id)
    const fresh = unpriced.filter(id => !this.#told.has(id))
    for (const id of fresh) this.#told.add(id)
    // A model that comes and goes is told once, as long as there are not too many to remember.
    if (this.#told.size > maxKnown) this.#told = new Set(unpriced)
    return fresh
  }
}

/** For a line of text, whatever their number. */
export function listNames(names: readonly string[]): string {
  const more = names.length - maxListed
  return more <= 0 ? names.join(', ') : `${names.slice(0, maxListed).join(', ')} and ${more} more`
}
