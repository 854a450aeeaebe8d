import assert from 'node:assert/strict'
import type { ISql } from 'postgres'
import { type PriceVersion, PriceVersionConflictError, recordPriceVersions } from '../../src/store/price-versions.ts'
import { conform } from '../support/conformance.ts'

const one: PriceVersion = {
  version: 'small-2026-01',
  model: 'small',
  target: null,
  price: { input: '0.10', output: '0.40' },
  effectiveFrom: new Date('2026-01-01T00:00:00Z'),
}
const two: PriceVersion = { ...one, version: 'small-2026-02', effectiveFrom: new Date('2026-02-01T00:00:00Z') }
const other: PriceVersion = {
  ...one,
  version: 'large-2026-01',
  model: 'large',
  target: 'large-q4',
  price: { perSecond: '0.01' },
}

/** All there are, by their time and name. */
async function stored(sql: ISql): Promise<readonly PriceVersion[]> {
  const rows = await sql<PriceVersion[]>`
    select version, model, target, price, effective_from as "effectiveFrom" from price_versions
    order by effective_from, version`
  return [...rows]
}

conform('price versions', {
  'are there once, however often and by however many they are recorded': async sql => {
    await recordPriceVersions(sql, [])
    await Promise.all([recordPriceVersions(sql, [one, other]), recordPriceVersions(sql, [other, one])])
    await recordPriceVersions(sql, [two, one])
    assert.deepEqual(await stored(sql), [other, one, two])
  },

  'keep their content: another one is an error that names them': async sql => {
    await recordPriceVersions(sql, [one])
    const changes: Partial<PriceVersion>[] = [
      { price: { input: '0.11', output: '0.40' } },
      { target: 'small-q4' },
      { model: 'large' },
      { effectiveFrom: new Date('2026-01-02T00:00:00Z') },
    ]
    for (const change of changes) {
      await assert.rejects(recordPriceVersions(sql, [two, { ...one, ...change }]), error => {
        assert.ok(error instanceof PriceVersionConflictError)
        assert.match(error.message, /small-2026-01 .*another content/)
        return true
      })
    }
    // The order of the members of an object says nothing.
    await recordPriceVersions(sql, [{ ...one, price: { output: '0.40', input: '0.10' } }])
    assert.deepEqual(await stored(sql), [one, two])
  },
})
