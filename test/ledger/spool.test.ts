import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { policyOf, unknownEvent } from '../../src/domain/unknown-usage.ts'
import { eventually } from '../support/eventually.ts'
import { copyAsCrashed, idsOf, openSpool, readAll, storeAll } from '../support/ledger.ts'
import { makeEvent, makeIntent } from '../support/ledger-records.ts'

const segmentsIn = (folder: string) =>
  readdirSync(folder)
    .filter(name => name.startsWith('segment-'))
    .sort()

test('finals come out as they went in, in order, in batches that keep both bounds', async t => {
  const { spool, folder } = await openSpool(t, { segmentBytes: 4000 })
  const ids = Array.from({ length: 40 }, (_, index) => `event-${index}`)
  for (const id of ids) {
    strictEqual(await spool.appendIntent(makeIntent(id)), 'written')
    strictEqual(await spool.appendFinal(makeEvent(id)), 'written')
  }
  strictEqual(spool.waiting, 40)
  strictEqual(spool.open, 0)
  ok(segmentsIn(folder).length > 5, 'they are in several segments')
  const first = await spool.next({ maxRecords: 7, maxBytes: 1024 ** 2 })
  deepStrictEqual(first?.events, ids.slice(0, 7).map(makeEvent))
  const bytes = Buffer.byteLength(JSON.stringify(makeEvent('event-10')))
  const second = await spool.next({ maxRecords: 100, maxBytes: 3 * bytes })
  deepStrictEqual(idsOf(second?.events ?? []), ids.slice(7, 9))
  const alone = await spool.next({ maxRecords: 100, maxBytes: 1 })
  deepStrictEqual(idsOf(alone?.events ?? []), ids.slice(9, 10))
  deepStrictEqual(idsOf(await readAll(spool)), ids.slice(10))
})

test('files are for this user alone', async t => {
  const { spool, folder } = await openSpool(t)
  await spool.appendIntent(makeIntent('a'))
  strictEqual(statSync(folder).mode & 0o777, 0o700)
  for (const name of segmentsIn(folder)) strictEqual(statSync(join(folder, name)).mode & 0o777, 0o600)
})

test('what is acknowledged is not handed out by the next process, and its segments are deleted', async t => {
  const { spool, folder } = await openSpool(t, { segmentBytes: 3000 })
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
    await spool.appendIntent(makeIntent(id))
    await spool.appendFinal(makeEvent(id))
  }
  const before = segmentsIn(folder)
  const batch = await spool.next({ maxRecords: 5, maxBytes: 1024 ** 2 })
  ok(batch)
  await spool.acknowledge(batch)
  strictEqual(spool.waiting, 3)
  await eventually('stored segments are gone', () => segmentsIn(folder).length < before.length)
  const next = await openSpool(t, { folder: copyAsCrashed(t, folder) })
  strictEqual(next.spool.waiting, 3)
  deepStrictEqual(idsOf(await readAll(next.spool)), ['f', 'g', 'h'])
  deepStrictEqual(next.notices, [])
})

test('when all that an earlier process has left is stored, no segment is left, and none is missed', async t => {
  const { spool, folder } = await openSpool(t)
  for (const id of ['a', 'b', 'c']) await spool.appendFinal(makeEvent(id))
  const second = await openSpool(t, { folder: copyAsCrashed(t, folder) })
  deepStrictEqual(idsOf(await storeAll(second.spool)), ['a', 'b', 'c'])
  await eventually('it is gone', () => segmentsIn(second.folder).length === 0)
  strictEqual(second.spool.bytes, 0)
  const third = await openSpool(t, { folder: copyAsCrashed(t, second.folder) })
  await third.spool.appendFinal(makeEvent('d'))
  deepStrictEqual(segmentsIn(third.folder), ['segment-0000000002.log'])
  deepStrictEqual(idsOf(await readAll(third.spool)), ['d'])
  deepStrictEqual(third.notices, [])
})

test('an intent whose request still runs outlives the segment that it was written to', async t => {
  const { spool, folder } = await openSpool(t, { segmentBytes: 2000 })
  await spool.appendIntent(makeIntent('long'))
  for (let index = 0; index < 20; index += 1) await spool.appendFinal(makeEvent(`short-${index}`))
  const [oldest] = segmentsIn(folder)
  const batch = await spool.next({ maxRecords: 19, maxBytes: 1024 ** 2 })
  ok(batch)
  await spool.acknowledge(batch)
  await eventually('its segment is gone', () => segmentsIn(folder)[0] !== oldest)
  strictEqual(spool.open, 1)
  const next = await openSpool(t, { folder: copyAsCrashed(t, folder) })
  deepStrictEqual(await readAll(next.spool), [
    makeEvent('short-19'),
    unknownEvent(makeIntent('long'), policyOf('reserved')),
  ])
})

test('P11: an intent without a final becomes unknown, once, and not while its process lives', async t => {
  const { spool, folder } = await openSpool(t)
  await spool.appendIntent(makeIntent('answered'))
  await spool.appendIntent(makeIntent('running'))
  await spool.appendFinal(makeEvent('answered'))
  deepStrictEqual(idsOf(await readAll(spool)), ['answered'])

  const second = await openSpool(t, { folder: copyAsCrashed(t, folder) })
  deepStrictEqual(second.notices, [{ kind: 'unknown', events: 1 }])
  const unknown = unknownEvent(makeIntent('running'), policyOf('reserved'))
  const third = await openSpool(t, { folder: copyAsCrashed(t, second.folder) })
  deepStrictEqual(third.notices, [])
  deepStrictEqual(await readAll(third.spool), [makeEvent('answered'), unknown])
})

test('P11: the policy says what an unknown request is charged', () => {
  const charged = (policy: Parameters<typeof unknownEvent>[1]) => {
    const { inputTokens, outputTokens, costNanoUsd, status, isEstimate } = unknownEvent(makeIntent('a'), policy)
    strictEqual(status, 'unknown')
    strictEqual(isEstimate, true)
    return [inputTokens, outputTokens, costNanoUsd]
  }
  deepStrictEqual(charged(policyOf('free')), [0, 0, 0])
  deepStrictEqual(charged(policyOf('reserved')), [100, 50, 1500])
  ok(!('costAtMostNanoUsd' in unknownEvent(makeIntent('a'), policyOf('free'))))
})

test('after an orderly stop nothing is unknown that has ended, and the folder is free', async t => {
  const { spool, folder } = await openSpool(t)
  await spool.appendIntent(makeIntent('a'))
  void spool.appendFinal(makeEvent('a'))
  await spool.close()
  strictEqual(await spool.appendFinal(makeEvent('late')), 'full')
  const next = await openSpool(t, { folder })
  deepStrictEqual(idsOf(await readAll(next.spool)), ['a'])
  deepStrictEqual(next.notices, [])
})

test('a record that is too long is refused by name', async t => {
  const { spool } = await openSpool(t)
  await rejects(spool.appendIntent({ ...makeIntent('a'), requestId: 'x'.repeat(70_000) }), RangeError)
  strictEqual(await spool.appendIntent(makeIntent('b')), 'written')
})

test('a start that fails gives the folder back, and has finished nothing', async t => {
  const { spool, folder } = await openSpool(t)
  await spool.appendIntent(makeIntent('a'))
  const left = copyAsCrashed(t, folder)
  const toUnknown = () => {
    throw new Error('no such policy')
  }
  await rejects(openSpool(t, { folder: left, toUnknown }), /no such policy/)
  const next = await openSpool(t, { folder: left })
  deepStrictEqual(next.notices, [{ kind: 'unknown', events: 1 }])
})
