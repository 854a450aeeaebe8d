import { test } from 'node:test'
import { assertKept, tightMemory } from '../support/ledger-outage.ts'
import { startLedgerWorld } from '../support/ledger-world.ts'

const outageMs = 60_000
const leastReplayPerSecond = 5000

test('P02 PostgreSQL is killed for a minute at 500 requests a second: nobody notices, and nothing is lost', async t => {
  const world = await startLedgerWorld(t, { isAlone: true, nodeFlags: tightMemory })
  const [begin, end] = [() => world.postgres.kill(), () => world.postgres.start()]
  await assertKept(t, world, { outageMs, begin, end, leastReplayPerSecond })
})

test('P03 PostgreSQL is frozen for a minute at 500 requests a second: nor then, and nothing piles up', async t => {
  const world = await startLedgerWorld(t, { isAlone: true, nodeFlags: tightMemory })
  const [begin, end] = [() => world.postgres.freeze(), () => world.postgres.thaw()]
  await assertKept(t, world, { outageMs, begin, end, leastReplayPerSecond })
})
