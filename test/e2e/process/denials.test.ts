import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startLedgerWorld } from '../../support/ledger-world.ts'

test('a server that is stopped writes the refusals that it has counted since it last wrote', async t => {
  const tiers = { shut: { limits: { requestsPerDay: 0 } } }
  const world = await startLedgerWorld(t, { more: { tiers } })
  const key = await world.key('shut')
  const stored = async () => {
    const rows = await world.query<{ limit_name: string; denials: number }>(
      'select limit_name, sum(denials)::int as denials from usage_denials group by limit_name',
    )
    return rows.map(row => ({ ...row }))
  }
  for (let times = 0; times < 2; times += 1) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.embed(key)))
    assert.deepEqual(new Set(answers), new Set([429]))
    // Counts are written once a minute, so nobody but the stop can have written these.
    assert.deepEqual(await stored(), times === 0 ? [] : [{ limit_name: 'requests_per_day', denials: 20 }])
    world.gateway.kill('SIGTERM')
    assert.equal((await world.gateway.exit).code, 0)
    assert.deepEqual(await stored(), [{ limit_name: 'requests_per_day', denials: 20 * (times + 1) }])
    if (times === 0) await world.start()
  }
})
