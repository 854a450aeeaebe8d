import { test } from 'node:test'
import { assertKept, tightMemory } from '../../support/ledger-outage.ts'
import { startLedgerWorld } from '../../support/ledger-world.ts'

const outageMs = 10_000

test('P02 callers do not notice that PostgreSQL is killed, and what they used is stored when it is back', async t => {
  const world = await startLedgerWorld(t, { isAlone: true, nodeFlags: tightMemory })
  await assertKept(t, world, {
    outageMs,
    begin: () => world.postgres.kill(),
    end: () => world.postgres.start(),
    leastReplayPerSecond: 1000,
  })
})

test('P03 nor that it is frozen, and nothing piles up before it', async t => {
  const world = await startLedgerWorld(t, { isAlone: true, nodeFlags: tightMemory })
  await assertKept(t, world, {
    outageMs,
    begin: () => world.postgres.freeze(),
    end: () => world.postgres.thaw(),
    leastReplayPerSecond: 1000,
  })
})
