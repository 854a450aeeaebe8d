import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { buildLimitHeaders, formatGoDuration } from '../../src/domain/limit-headers.ts'
import { flight, limitSet, quota, rate, tokenRate } from '../support/limit-sets.ts'

const used = (...amounts: readonly number[]) => amounts.map(amount => ({ used: amount, waitUs: 0 }))

test('the tightest rate in requests and the tightest in tokens are told', () => {
  const set = limitSet([
    rate({ size: 60 }),
    tokenRate({ size: 1000 }),
    rate({ name: 'requests_per_day', size: 100, periodMs: 86_400_000 }),
    rate({ of: 'key', size: 5 }),
  ])
  deepEqual(buildLimitHeaders(set, used(10, 250, 99, 3)), {
    'x-ratelimit-limit-requests': '100',
    'x-ratelimit-remaining-requests': '1',
    'x-ratelimit-reset-requests': '23h45m36s',
    'x-ratelimit-limit-tokens': '1000',
    'x-ratelimit-remaining-tokens': '750',
    'x-ratelimit-reset-tokens': '15s',
    'ratelimit-policy':
      '"requests-per-minute";q=60;w=60, "tokens-per-minute";q=1000;w=60, "requests-per-day";q=100;w=86400, "key-requests-per-minute";q=5;w=60',
    ratelimit:
      '"requests-per-minute";r=50;t=10, "tokens-per-minute";r=750;t=15, "requests-per-day";r=1;t=85536, "key-requests-per-minute";r=2;t=36',
  })
})

test('a policy is what is refilled, whatever may be saved up', () => {
  const { 'ratelimit-policy': policy } = buildLimitHeaders(limitSet([rate({ size: 600, capacity: 5 })]), used(1))
  equal(policy, '"requests-per-minute";q=600;w=60')
})

test('what is left is never below nothing, and a limit of nothing is as whole as it can be', () => {
  const set = limitSet([tokenRate({ size: 100 }), rate({ size: 0 })])
  const headers = buildLimitHeaders(set, used(150, 0))
  equal(headers['x-ratelimit-remaining-tokens'], '0')
  equal(headers['x-ratelimit-reset-tokens'], '1m30s')
  equal(headers['x-ratelimit-reset-requests'], '0ms')
})

test('quotas and places in flight have no rate to tell', () => {
  deepEqual(buildLimitHeaders(limitSet([quota(), flight()]), used(1, 1)), {})
})

test('durations are written as Go writes them', () => {
  const written = [0, 1, 11.2, 999, 1000, 1001, 59_999, 60_000, 360_000, 3_600_000, 86_400_000].map(formatGoDuration)
  deepEqual(written, ['0ms', '1ms', '12ms', '999ms', '1s', '2s', '1m0s', '1m0s', '6m0s', '1h0m0s', '24h0m0s'])
})
