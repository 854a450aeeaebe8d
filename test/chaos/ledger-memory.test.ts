import { ok, strictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Flusher } from '../../src/ledger/flusher.ts'
import { openSpool } from '../support/ledger.ts'
import { makeEvent, makeIntent } from '../support/ledger-records.ts'

const requests = 300_000
const maxBytes = 16 * 1024 * 1024
const leastPerSecond = 5000

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

function usedBytes(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test(`P02: ${requests} requests that wait on the disk cost no more than 16 MiB, and are stored at 5,000 a second`, async t => {
  const first = await openSpool(t)
  for (let done = 0; done < requests; ) {
    const ids = Array.from(
      { length: 500 },
      (_, index) => `0199a0b0-0000-7000-8000-${String(done + index).padStart(12, '0')}`,
    )
    await Promise.all(ids.map(id => first.spool.appendIntent(makeIntent(id))))
    // The last ones are never finished.
    const finished = done + ids.length === requests ? [] : ids
    await Promise.all(finished.map(id => first.spool.appendFinal(makeEvent(id))))
    done += ids.length
  }
  await first.spool.close()

  const before = usedBytes()
  const startMs = performance.now()
  const { spool, noticesOf } = await openSpool(t, { folder: first.folder })
  const replayedMs = performance.now() - startMs
  strictEqual(noticesOf('unknown')[0]?.events, 500)
  strictEqual(spool.waiting, requests)
  let peak = usedBytes() - before
  let batches = 0
  let stored = 0
  const flusher = new Flusher({
    spool,
    store: async events => {
      stored += events.length
      batches += 1
      if (batches % 20 === 0) peak = Math.max(peak, usedBytes() - before)
    },
    isPoison: () => false,
    onProgress: () => undefined,
    onFailure: error => {
      throw error
    },
  })
  const flushMs = performance.now()
  ok(await flusher.flush(600_000))
  flusher.stop()
  strictEqual(stored, requests)
  const perSecond = Math.round((requests * 1000) / (performance.now() - flushMs))
  t.diagnostic(`replayed in ${Math.round(replayedMs)} ms, ${perSecond} stored a second, ${peak} bytes at most`)
  ok(peak <= maxBytes, `${peak} bytes`)
  ok(perSecond >= leastPerSecond, `${perSecond} a second`)
})
