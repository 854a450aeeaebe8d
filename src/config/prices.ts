import type { Findings } from './findings.ts'
import type { Draft } from './references.ts'

/** Prices hold from their day on, so the days have to rise; each is by token or by time. */
export function checkPrices({ models }: Draft, findings: Findings): void {
  for (const [name, model] of Object.entries(models ?? {})) {
    let before = ''
    for (const [index, price] of (model?.prices ?? []).entries()) {
      const path = ['models', name, 'prices', index]
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
}
