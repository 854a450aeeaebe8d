/** What models cost, and what the limits of tiers need beside them. */
import { listNames } from '../domain/unpriced.ts'
import { hasDiscovery } from './addresses.ts'
import type { Findings } from './findings.ts'
import type { KeyPath } from './place.ts'
import type { Draft } from './references.ts'

type ModelDraft = NonNullable<NonNullable<Draft['models']>[string]>

/** Prices hold from their day on, so the days have to rise; each is by token or by time. */
export function checkPrices(draft: Draft, findings: Findings): void {
  for (const [name, model] of Object.entries(draft.models ?? {})) {
    checkList(['models', name, 'prices'], model?.prices, findings)
    for (const [index, target] of (model?.targets ?? []).entries())
      checkList(['models', name, 'targets', index, 'prices'], target.prices, findings)
  }
  checkSpendLimits(draft, findings)
}

function checkList(at: KeyPath, prices: ModelDraft['prices'], findings: Findings): void {
  let before = ''
  for (const [index, price] of (prices ?? []).entries()) {
    const path = [...at, index]
    if (price.from !== undefined && price.from <= before) {
      const problem = `The price does not begin after the one before it (${before}).`
      findings.problem([...path, 'from'], { problem, fix: 'Order the prices by day, one a day, newest last.' })
    }
    before = price.from ?? before
    const byToken = ['input', 'cachedInput', 'output'].some(key => findings.isWritten([...path, key]))
    const byTime = findings.isWritten([...path, 'perSecond'])
    if (byToken && byTime) {
      const problem = 'The price is both by token and by time.'
      findings.problem([...path, 'perSecond'], { problem, fix: 'Keep perSecond, or input and output.' })
    }
    if (!byToken && !byTime) {
      findings.problem(path, { problem: 'The price has no amount.', fix: 'Add input and output, or perSecond.' })
    }
  }
}

/** A spend limit does not hold for what costs nothing, which is no mistake but easily overlooked. */
function checkSpendLimits(draft: Draft, findings: Findings): void {
  const limited = Object.entries(draft.tiers ?? {}).flatMap(([name, tier]) =>
    Object.keys(tier?.spendLimits ?? {}).length > 0 ? [name] : [],
  )
  const [first] = limited
  if (first === undefined) return
  const whose = `the spend limits of ${limited.join(', ')}`
  // Prices that are there but wrong have been complained about.
  const arePrices = (at: KeyPath, prices: ModelDraft['prices']) =>
    findings.isWritten([...at, 0]) || (prices?.length ?? 0) > 0
  const unpriced = Object.entries(draft.models ?? {}).flatMap(([name, model]) => {
    const arePriced = (model?.targets ?? []).every(
      ({ weight, prices }, index) => weight === 0 || arePrices(['models', name, 'targets', index, 'prices'], prices),
    )
    return arePriced || arePrices(['models', name, 'prices'], model?.prices) ? [] : name
  })
  if (unpriced.length > 0) {
    findings.warn(['models'], `without a price: ${listNames(unpriced)}; what they use costs nothing under ${whose}`)
  }
  if (hasDiscovery(draft)) {
    findings.warn(
      ['tiers', first, 'spendLimits'],
      `does not count models that backends list by themselves: they have no price`,
    )
  }
}

/** A burst is one of requests per minute, so there have to be such. */
export function checkTierLimits({ tiers }: Draft, findings: Findings): void {
  for (const [name, tier] of Object.entries(tiers ?? {})) {
    if (tier?.limits?.burst === undefined) continue
    const path = ['tiers', name, 'limits']
    if (tier.limits.requestsPerMinute !== undefined || findings.isWritten([...path, 'requestsPerMinute'])) continue
    const problem = 'It counts requests per minute, and those are not limited.'
    findings.problem([...path, 'burst'], { problem, fix: 'Add requestsPerMinute beside it, or remove it.' })
  }
}
