import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BackendConfig } from '../../src/backend/backend.ts'
import { diffBackends } from '../../src/backend/backend-difference.ts'

const timeouts = { connectMs: 1, firstTokenMs: 1, idleMs: 1, totalMs: 1 }
const breaker = { window: 10, least: 5, failurePercent: 50, pauseMs: 1, maxPauseMs: 1 }
const backend = (url: string, more: Partial<BackendConfig> = {}): BackendConfig => ({
  url,
  engine: 'auto',
  discover: false,
  drain: false,
  timeouts,
  breaker,
  ...more,
})

test('what is new, gone, set otherwise and as before; another URL is another server', () => {
  const before = {
    same: backend('http://1'),
    gone: backend('http://2'),
    moved: backend('http://3'),
    slots: backend('http://4', { slots: 1 }),
    patient: backend('http://5'),
  }
  const after = {
    fresh: backend('http://6'),
    patient: backend('http://5', { timeouts: { ...timeouts, idleMs: 2 } }),
    slots: backend('http://4', { slots: 2 }),
    moved: backend('http://7'),
    same: backend('http://1'),
  }
  assert.deepEqual(diffBackends(before, after), {
    added: ['fresh', 'moved'],
    removed: ['gone', 'moved'],
    changed: ['patient', 'slots'],
    kept: ['same'],
  })
})

const configs = fc.dictionary(
  fc.constantFrom('a', 'b', 'c', 'd'),
  fc.record({ url: fc.constantFrom('http://1', 'http://2'), slots: fc.constantFrom(1, 2) }),
)

test('taking away what is gone or changed and adding what is new or changed makes the one of the other', () => {
  fc.assert(
    fc.property(configs, configs, (left, right) => {
      const of = (given: typeof left) =>
        Object.fromEntries(Object.entries(given).map(([name, { url, slots }]) => [name, backend(url, { slots })]))
      const [before, after] = [of(left), of(right)]
      const { added, removed, changed, kept } = diffBackends(before, after)
      const made = { ...before }
      for (const name of [...removed, ...changed]) delete made[name]
      for (const name of [...added, ...changed]) {
        const config = after[name]
        assert.ok(config !== undefined && made[name] === undefined)
        made[name] = config
      }
      assert.deepEqual(made, after)
      assert.deepEqual(new Set([...added, ...changed, ...kept]), new Set(Object.keys(after)))
      assert.deepEqual(diffBackends(after, after).kept, Object.keys(after))
    }),
  )
})
