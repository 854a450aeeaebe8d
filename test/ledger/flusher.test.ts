import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { Flusher, type FlushProgress } from '../../src/ledger/flusher.ts'
import { encodeFrame } from '../../src/ledger/frame.ts'
import { segmentPath } from '../../src/ledger/segment-folder.ts'
import type { SpoolOptions } from '../../src/ledger/spool.ts'
import { onEnd } from '../support/cleanup.ts'
import { eventually } from '../support/eventually.ts'
import { changedDisk, copyAsCrashed, idsOf, openSpool, readAll, systemError } from '../support/ledger.ts'
import { makeEvent } from '../support/ledger-records.ts'

class PoisonError extends Error {}

const isBad = ({ id }: UsageEvent) => id.startsWith('bad')

/** A table that takes each id once and no bad row, a flusher that fills it, and what both have said. */
async function startFlusher(t: TestContext, options: Pick<Partial<SpoolOptions>, 'folder' | 'disk'> = {}) {
  const opened = await openSpool(t, options)
  const table = new Map<string, UsageEvent>()
  const progress: FlushProgress[] = []
  const failures: number[] = []
  const state = { isDown: false, calls: 0, running: 0, mostRunning: 0 }
  const store = async (events: readonly UsageEvent[]) => {
    state.calls += 1
    state.running += 1
    state.mostRunning = Math.max(state.mostRunning, state.running)
    await new Promise(resolve => setImmediate(resolve))
    state.running -= 1
    if (state.isDown) throw systemError('ECONNREFUSED')
    if (events.some(isBad)) throw new PoisonError('a NUL in a text')
    for (const event of events) if (!table.has(event.id)) table.set(event.id, event)
  }
  const flusher = new Flusher({
    spool: opened.spool,
    store,
    isPoison: error => error instanceof PoisonError,
    onProgress: step => progress.push(step),
    onFailure: (_error, tries) => failures.push(tries),
  })
  onEnd(t, () => flusher.stop())
  return { ...opened, flusher, table, progress, failures, state }
}

const sum = (progress: readonly FlushProgress[], field: 'stored' | 'quarantined') =>
  progress.reduce((total, step) => total + step[field], 0)

test('what is appended is stored by itself, one batch at a time, and acknowledged', async t => {
  const { spool, folder, table, progress, state } = await startFlusher(t)
  const ids = Array.from({ length: 1200 }, (_, index) => `event-${index}`)
  await Promise.all(ids.map(id => spool.appendFinal(makeEvent(id))))
  await eventually('all are stored', () => sum(progress, 'stored') === ids.length)
  deepStrictEqual([...table.keys()], ids)
  strictEqual(state.mostRunning, 1)
  ok(state.calls < 20, 'in batches')
  strictEqual(progress.at(-1)?.waiting, 0)
  const next = await openSpool(t, { folder: copyAsCrashed(t, folder) })
  deepStrictEqual(await readAll(next.spool), [])
})

test('while the store is down nothing is acknowledged; when it is back everything is stored', async t => {
  const { spool, folder, table, progress, failures, state } = await startFlusher(t)
  state.isDown = true
  await spool.appendFinal(makeEvent('a'))
  await eventually('it is tried again and again', () => failures.includes(3))
  const crashed = await openSpool(t, { folder: copyAsCrashed(t, folder) })
  deepStrictEqual(idsOf(await readAll(crashed.spool)), ['a'])
  state.isDown = false
  await spool.appendFinal(makeEvent('b'))
  await eventually('both are stored', () => sum(progress, 'stored') === 2)
  deepStrictEqual([...table.keys()], ['a', 'b'])
  ok((progress[0]?.lagMs ?? 0) > 0)
})

test('P05: bad rows are found by halving and kept aside with their reason; good ones are all stored', async t => {
  const { spool, folder, flusher, table, progress, state } = await startFlusher(t)
  const ids = Array.from({ length: 300 }, (_, index) => (index % 100 === 37 ? `bad-${index}` : `good-${index}`))
  await Promise.all(ids.map(id => spool.appendFinal(makeEvent(id))))
  ok(await flusher.flush(10_000))
  deepStrictEqual(
    [...table.keys()],
    ids.filter(id => id.startsWith('good')),
  )
  deepStrictEqual([sum(progress, 'stored'), sum(progress, 'quarantined')], [297, 3])
  ok(state.calls < 80, `${state.calls} calls`)
  const lines = readFileSync(join(folder, 'quarantine', 'rows.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
  const rows = lines.map(line => JSON.parse(line))
  deepStrictEqual(
    rows.map(({ reason, row }) => [reason, row]),
    ['bad-37', 'bad-137', 'bad-237'].map(id => ['a NUL in a text', makeEvent(id)]),
  )
  await spool.appendFinal(makeEvent('after'))
  ok(await flusher.flush(10_000))
  ok(table.has('after'), 'it goes on')
})

test('P05: what cannot even be read goes the same way', async t => {
  const { spool, folder } = await openSpool(t)
  await spool.appendFinal(makeEvent('a'))
  const left = copyAsCrashed(t, folder)
  appendFileSync(segmentPath(left, 1), encodeFrame(99, 'from the future'))
  const next = await startFlusher(t, { folder: left })
  ok(await next.flusher.flush(10_000))
  deepStrictEqual([...next.table.keys()], ['a'])
  ok(readFileSync(join(left, 'quarantine', 'rows.jsonl'), 'utf8').includes('from the future'))
})

test('a stop waits for what can be stored, and no longer than it is told', async t => {
  const { spool, flusher, state } = await startFlusher(t)
  state.isDown = true
  await spool.appendFinal(makeEvent('a'))
  strictEqual(await flusher.flush(50), false)
  state.isDown = false
  ok(await flusher.flush(10_000))
  flusher.stop()
  const { calls } = state
  await spool.appendFinal(makeEvent('b'))
  strictEqual(await flusher.flush(200), false)
  strictEqual(state.calls, calls)
})

test('a stop in the middle of an outage acknowledges nothing', async t => {
  const { spool, folder, flusher, progress, failures, state } = await startFlusher(t)
  state.isDown = true
  await spool.appendFinal(makeEvent('a'))
  await eventually('it has been tried', () => failures.length > 0)
  flusher.stop()
  state.isDown = false
  await spool.close()
  deepStrictEqual(progress, [])
  const next = await openSpool(t, { folder })
  deepStrictEqual(idsOf(await readAll(next.spool)), ['a'])
})

test('a flush waits for what is still to be written, and says whether all got in', async t => {
  const gate = Promise.withResolvers<void>()
  const state = { isFull: false }
  const disk = changedDisk(file => ({
    write: async (bytes, position, isInThread) => {
      await gate.promise
      if (state.isFull) throw systemError('ENOSPC')
      return await file.write(bytes, position, isInThread)
    },
  }))
  const { spool, flusher, table } = await startFlusher(t, { disk })
  const appended = spool.appendFinal(makeEvent('a'))
  strictEqual(spool.waiting, 0)
  strictEqual(await flusher.flush(50), false)
  const flushed = flusher.flush(10_000)
  gate.resolve()
  ok(await flushed)
  deepStrictEqual([...table.keys()], ['a'])
  strictEqual(await appended, 'written')

  state.isFull = true
  const refused = spool.appendFinal(makeEvent('b'))
  const late = flusher.flush(10_000)
  await spool.close()
  deepStrictEqual([await refused, await late], ['full', false])
})

test('a flush ends although more comes all the time, and does not hurry those after it', async t => {
  const { spool, flusher, table, state } = await startFlusher(t)
  let count = 0
  let isRunning = true
  const load = (async () => {
    for (; isRunning; count += 1) await spool.appendFinal(makeEvent(`event-${count}`))
  })()
  await eventually('there is load', () => count > 100)
  const last = `event-${count - 1}`
  ok(await flusher.flush(10_000))
  ok(table.has(last))
  isRunning = false
  await load
  ok(await flusher.flush(10_000))
  const { calls } = state
  await spool.appendFinal(makeEvent('x'))
  await spool.appendFinal(makeEvent('y'))
  await eventually('both are stored', () => table.has('y'))
  strictEqual(state.calls, calls + 1, 'in one batch')
})

test('one that waits again and again leaves nothing behind', async t => {
  const signals = new Set<AbortSignal>()
  const add = AbortSignal.prototype.addEventListener
  t.mock.method(
    AbortSignal.prototype,
    'addEventListener',
    function (this: AbortSignal, ...args: Parameters<typeof add>) {
      signals.add(this)
      return Reflect.apply(add, this, args)
    },
  )
  const { spool, flusher } = await startFlusher(t)
  for (let times = 0; times < 30; times += 1) {
    await spool.appendFinal(makeEvent(`event-${times}`))
    ok(await flusher.flush(5000))
  }
  const most = Math.max(...[...signals].map(signal => getEventListeners(signal, 'abort').length))
  ok(signals.size > 0 && most < 5, `${most} listeners`)
})
