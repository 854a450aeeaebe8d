import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../support/eventually.ts'
import { startLedgerWorld } from '../../support/ledger-world.ts'

const dayMs = 86_400_000
const day = (offset: number): string => new Date(Date.now() + offset * dayMs).toISOString().slice(0, 10)
const old = { from: '2026-01-01', input: '10.00', output: '50.00' }

test('P12 prices are read again whole or not at all, and each event says by which it was counted', async t => {
  const world = await startLedgerWorld(t, { prices: [old] })
  const reloads = () => world.gateway.logs().filter(({ msg }) => /^configuration (re|could)/.test(String(msg)))
  type Line = ReturnType<typeof reloads>[number]
  // The file before may be read once more meanwhile: one writing can be told twice.
  const reload = async (prices: readonly object[], isOfIt: (line: Line) => boolean) => {
    const before = reloads().length
    world.configure({ prices })
    await eventually('it is read again', () => reloads().slice(before).some(isOfIt), { withinMs: 10_000 })
  }
  const isTaken = ({ changed }: Line) => JSON.stringify(changed) === '["models.tinychat.prices"]'
  const isRefused = ({ msg, problems }: Line) =>
    String(msg).includes('refused') && /weir\.yaml:\d+:\d+ models\.tinychat\.prices/.test(JSON.stringify(problems))
  let count = 0
  const nextEvent = async () => {
    assert.equal(await world.embed(), 200)
    count += 1
    await eventually('its event', async () => (await world.stored()).length === count)
    const event = (await world.stored()).at(-1)
    return { cost: event?.cost_nano_usd, version: event?.price_version ?? '' }
  }
  const first = await nextEvent()
  // Two tokens at 10 USD a million.
  assert.equal(first.cost, 20_000)
  assert.match(first.version, /^2026-01-01-/)

  for (const wrong of [{ input: 'ten' }, { input: '-1' }, { from: 'some day' }, { perSecond: '0.1' }]) {
    await t.test(`${JSON.stringify(wrong)} is refused, and the old ones go on`, async () => {
      await reload([{ ...old, ...wrong }], isRefused)
      assert.deepEqual(await nextEvent(), first)
    })
  }
  await t.test('one of tomorrow does not count today', async () => {
    await reload([old, { ...old, from: day(1), input: '99.00' }], isTaken)
    assert.deepEqual(await nextEvent(), first)
  })
  await t.test('one of today does, by a version of its own', async () => {
    await reload([old, { ...old, from: day(0), input: '20.00' }], isTaken)
    const { cost, version } = await nextEvent()
    assert.equal(cost, 40_000)
    assert.ok(version.startsWith(`${day(0)}-`) && version !== first.version)
    const versions = () => world.query<{ version: string }>('select version from price_versions')
    await eventually('both are recorded', async () => {
      const known = new Set((await versions()).map(row => row.version))
      return known.has(first.version) && known.has(version)
    })
  })
  await t.test('without any the cost is 0, and the event says that nobody has priced it', async () => {
    await reload([], isTaken)
    assert.deepEqual(await nextEvent(), { cost: 0, version: '' })
  })
})
