import { deepEqual, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Limit } from '../../src/domain/limit.ts'
import { explainDenial } from '../../src/domain/limit-denial.ts'
import { WeirError } from '../../src/errors.ts'
import { limitExamples } from '../../src/schemas/limit-examples.ts'
import { flight, limitSet, quota, rate, spendLimit, tokenRate } from '../support/limit-sets.ts'

/** Of the default tiers, as far as the examples go. */
const tierSizes = {
  free: { requests_per_minute: 60, tokens_per_minute: 100_000, requests_in_flight: 4 },
  premium: { requests_per_minute: 600, tokens_per_minute: 1_000_000, requests_in_flight: 32 },
  enterprise: {},
}

interface Case {
  readonly limit: Limit
  readonly used: number
  readonly waitUs: number
  readonly amount: number
}

const never = Number.POSITIVE_INFINITY
const cases: Readonly<Record<keyof typeof limitExamples, Case>> = {
  requests: { limit: rate(), used: 60, waitUs: 800_000, amount: 1 },
  tokens: { limit: tokenRate({ size: 100_000 }), used: 98_800, waitUs: 1_866_000, amount: 4310 },
  inFlight: { limit: flight(4), used: 4, waitUs: never, amount: 1 },
  largerThanLimit: { limit: tokenRate({ of: 'key', size: 4000 }), used: 0, waitUs: never, amount: 4310 },
  quota: { limit: quota({ size: 20_000_000 }), used: 19_999_488, waitUs: 604_800e6, amount: 4310 },
  spend: { limit: spendLimit({ size: 5e9 }), used: 4_997_900_000, waitUs: 21_600e6, amount: 2_600_000 },
}

test('the examples are what is answered, and docs/API.md shows each', () => {
  const page = readFileSync(new URL('../../docs/API.md', import.meta.url), 'utf8')
  for (const [name, { limit, used, waitUs, amount }] of Object.entries(cases)) {
    const denied = {
      set: limitSet([limit], { tier: 'free' }),
      states: [{ used, waitUs }],
      amounts: [amount],
      tierSizes,
      isLocal: false,
    }
    const { kind, message } = explainDenial(denied)
    const { value } = limitExamples[name as keyof typeof limitExamples]
    deepEqual(value, new WeirError(kind, message).body, name)
    ok(page.includes(message), `docs/API.md does not show: ${message}`)
  }
})
