import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { changedDisk, idsOf, openSpool, readAll } from '../support/ledger.ts'
import { makeEvent } from '../support/ledger-records.ts'

test('while an fsync takes long, writes are made in threads, and the event loop does not wait for them', async t => {
  const synced = Promise.withResolvers<void>()
  const inThread: boolean[] = []
  const disk = changedDisk(file => ({
    write: (bytes, position, isInThread) => {
      inThread.push(isInThread)
      return file.write(bytes, position, isInThread)
    },
    sync: () => synced.promise,
  }))
  const { spool } = await openSpool(t, { disk })
  await spool.appendFinal(makeEvent('first'))
  deepStrictEqual(inThread, [false])
  await eventually('the disk is taken for slow', async () => {
    await spool.appendFinal(makeEvent(`event-${inThread.length}`))
    return inThread.at(-1)
  })
  synced.resolve()
  await eventually('the disk is well again', async () => {
    await spool.appendFinal(makeEvent(`event-${inThread.length}`))
    return inThread.at(-1) === false
  })
  strictEqual((await readAll(spool)).length, inThread.length)
})

test('one write that holds up the event loop is the last one for a while', async t => {
  const inThread: boolean[] = []
  const disk = changedDisk(file => ({
    write: (bytes, position, isInThread) => {
      inThread.push(isInThread)
      const endMs = performance.now() + (isInThread ? 0 : 30)
      while (performance.now() < endMs);
      return file.write(bytes, position, isInThread)
    },
  }))
  const { spool } = await openSpool(t, { disk })
  const ids = Array.from({ length: 10 }, (_, index) => `event-${index}`)
  for (const id of ids) await spool.appendFinal(makeEvent(id))
  strictEqual(inThread.filter(is => !is).length, 1)
  deepStrictEqual(idsOf(await readAll(spool)), ids)
})

test('what comes in one turn is one write, in its order', async t => {
  let writes = 0
  const disk = changedDisk(file => ({
    write: (bytes, position, isInThread) => {
      writes += 1
      return file.write(bytes, position, isInThread)
    },
  }))
  const { spool } = await openSpool(t, { disk })
  const ids = Array.from({ length: 50 }, (_, index) => `event-${index}`)
  await Promise.all(ids.map(id => spool.appendFinal(makeEvent(id))))
  strictEqual(writes, 1)
  deepStrictEqual(idsOf(await readAll(spool)), ids)
})

test('a write that is cut short is continued where it ended', async t => {
  for (const isInThread of [false, true]) {
    const disk = changedDisk(file => ({
      write: (bytes, position) => file.write(bytes.subarray(0, 100), position, isInThread),
    }))
    const { spool } = await openSpool(t, { disk })
    await Promise.all(['a', 'b', 'c'].map(id => spool.appendFinal(makeEvent(id))))
    deepStrictEqual(idsOf(await readAll(spool)), ['a', 'b', 'c'])
  }
})
