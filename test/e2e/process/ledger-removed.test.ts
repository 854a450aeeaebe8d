import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { onEnd } from '../../support/cleanup.ts'
import { eventually } from '../../support/eventually.ts'
import { type LedgerWorld, startLedgerWorld } from '../../support/ledger-world.ts'
import { startOpenLoop } from '../../support/open-loop.ts'

const perSecond = 100

const segmentsOf = ({ ledgerFolder }: LedgerWorld) =>
  existsSync(ledgerFolder) ? readdirSync(ledgerFolder).filter(name => name.startsWith('segment-')) : []

const removals: Readonly<Record<string, (world: LedgerWorld) => void>> = {
  'its folder': ({ ledgerFolder }) => rmSync(ledgerFolder, { recursive: true }),
  'the file that grows': world =>
    rmSync(join(world.ledgerFolder, segmentsOf(world).at(-1) ?? assert.fail('there is one'))),
}

for (const [what, remove] of Object.entries(removals)) {
  test(`the ledger has ${what} removed under load: nothing is lost, and what comes later is on the disk`, async t => {
    const world = await startLedgerWorld(t)
    const load = startOpenLoop(perSecond, () => world.embed())
    onEnd(t, () => load.stop())
    await eventually('it is under way', () => world.answered.length > perSecond)
    remove(world)
    const before = world.answered.length
    await eventually('there is another', () => segmentsOf(world).length > 0)
    await eventually('it goes on', () => world.answered.length > before + perSecond)
    await load.stop()
    assert.deepEqual(new Set(load.samples.map(({ status }) => status)), new Set([200]))
    await world.assertAllStored()
    assert.equal((await world.stored()).length, load.samples.length)
    assert.equal(await world.metric('weir_ledger_lost_total'), 0)
    await eventually('it is told', () =>
      world.gateway.logs().some(({ msg }) => /removed or renamed under this process/.test(String(msg))),
    )
    assert.equal(await world.embed(), 200)
    await eventually('its end is kept', async () => (await world.metric('weir_ledger_open')) === 0)
    // Whatever has not been stored yet is found by the next process.
    await world.kill()
    await world.start()
    await world.assertAllStored()
    t.diagnostic(`${world.answered.length} answered and stored`)
  })
}

test('it is removed while the database is away: what is on the disk by then is stored once that is back', async t => {
  const world = await startLedgerWorld(t, { isAlone: true })
  assert.equal(await world.embed(), 200)
  await world.assertAllStored()
  await world.postgres.kill()
  for (let n = 0; n < 20; n += 1) assert.equal(await world.embed(), 200)
  rmSync(world.ledgerFolder, { recursive: true })
  for (let n = 0; n < 20; n += 1) assert.equal(await world.embed(), 200)
  await eventually('all are in another file', async () => {
    const line = world.gateway.logs().find(({ msg }) => /what it had is written again/.test(String(msg)))
    return line !== undefined && segmentsOf(world).length === 1
  })
  for (let n = 0; n < 20; n += 1) assert.equal(await world.embed(), 200)
  await eventually('their ends as well', async () => (await world.metric('weir_ledger_open')) === 0)
  await world.kill()
  await world.postgres.start()
  await world.start()
  await world.assertAllStored()
  assert.equal(world.answered.length, 61)
  assert.deepEqual(new Set((await world.stored()).map(({ status }) => status)), new Set(['ok']))
})

test('while something else stands in its place requests are refused, and afterwards they are served', async t => {
  const world = await startLedgerWorld(t)
  assert.equal(await world.embed(), 200)
  await world.assertAllStored()
  rmSync(world.ledgerFolder, { recursive: true })
  writeFileSync(world.ledgerFolder, 'something else')
  await eventually('they are refused', async () => (await world.metric('weir_ledger_level')) === 2)
  assert.equal(await world.embed(), 503)
  rmSync(world.ledgerFolder)
  await eventually('they are served', async () => (await world.embed()) === 200)
  await world.assertAllStored()
  assert.equal(await world.metric('weir_ledger_lost_total'), 0)
})
