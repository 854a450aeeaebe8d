/** Candidates for the picker, and what its documentation says of them, written down once more. */
import fc from 'fast-check'
import type { PickCandidate } from '../../src/domain/picker.ts'

export const randomArb = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const slotsArb = fc.option(fc.integer({ min: 1, max: 64 }), { nil: null })
const candidateArb = fc.record({
  id: fc.stringMatching(/^[a-z0-9/-]{1,12}$/),
  weight: fc.nat({ max: 5 }),
  share: fc.constantFrom(1, 1, 0.5, 0.1),
  inFlight: fc.nat({ max: 20 }),
  slots: slotsArb,
})
export const candidatesArb = fc.uniqueArray(candidateArb, { maxLength: 20, selector: ({ id }) => id })
/** So few that all are looked at. */
export const fewArb = fc.uniqueArray(candidateArb, { maxLength: 8, selector: ({ id }) => id })
/** So many that two are drawn. */
export const manyArb = fc.uniqueArray(candidateArb, { minLength: 9, maxLength: 20, selector: ({ id }) => id })

/** Slots by weight, as the picker's own documentation has it, written down once more; only of those that take calls. */
export function capacitiesOf(candidates: readonly PickCandidate[]): Map<string, number> {
  const taking = candidates.filter(({ weight }) => weight > 0)
  const known = taking.map(({ slots }) => slots).filter(slots => slots !== null)
  const mean = known.reduce((sum, slots) => sum + slots, 0) / known.length || 1
  return new Map(taking.map(({ id, slots, weight, share }) => [id, (slots ?? mean) * weight * share]))
}

/** With `more` requests than are under way. */
export function loadsOf(candidates: readonly PickCandidate[], more = 1): Map<string, number> {
  const inFlight = new Map(candidates.map(each => [each.id, each.inFlight]))
  return new Map(
    [...capacitiesOf(candidates)].map(([id, capacity]) => [id, ((inFlight.get(id) ?? 0) + more) / capacity]),
  )
}

/** These numbers, one after the other, over and over. */
export function drawsOf(numbers: readonly number[]): () => number {
  let at = 0
  return () => numbers[at++ % numbers.length] ?? 0
}

export const candidate = (id: string, given: Partial<PickCandidate> = {}): PickCandidate => ({
  id,
  weight: 1,
  share: 1,
  inFlight: 0,
  slots: null,
  ...given,
})
