import assert from 'node:assert/strict'
import { test } from 'node:test'
import { periodAt } from '../../src/domain/calendar.ts'

const us = (text: string) => Date.parse(text) * 1000

test('a day and a month, in UTC', () => {
  const now = us('2026-11-24T17:24:45.123Z') + 456
  assert.deepEqual(periodAt('day', now), {
    id: '2026-11-24',
    fromUs: us('2026-11-24T00:00:00Z'),
    untilUs: us('2026-11-25T00:00:00Z'),
  })
  assert.deepEqual(periodAt('month', now), {
    id: '2026-11',
    fromUs: us('2026-11-01T00:00:00Z'),
    untilUs: us('2026-12-01T00:00:00Z'),
  })
})

test('a period holds its first microsecond and not the one after its last', () => {
  for (const unit of ['day', 'month'] as const) {
    for (const start of ['2027-01-01T00:00:00Z', '2028-02-29T00:00:00Z', '2028-03-01T00:00:00Z']) {
      const { untilUs } = periodAt(unit, us(start))
      assert.equal(periodAt(unit, untilUs - 1).untilUs, untilUs)
      assert.equal(periodAt(unit, untilUs).fromUs, untilUs)
    }
  }
  assert.equal(periodAt('month', us('2027-01-01T00:00:00Z') - 1).id, '2026-12')
  assert.equal(periodAt('day', us('2028-02-29T12:00:00Z')).id, '2028-02-29')
})
