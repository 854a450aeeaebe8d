/**
 * What the ledger costs, beside one that makes all writes in libuv's threads and one that makes all in the main thread.
 *
 *     node bench/ledger.ts [FOLDER]
 *
 * Rounds take turns, each in a process of its own; lower quartiles of CPU, medians of the rest. The open loop starts a
 * request at its time whatever became of those before: an intent, then a final. Latency is from that time to `written`.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { type LedgerDisk, nodeDisk } from '../src/ledger/ledger-disk.ts'
import { Spool } from '../src/ledger/spool.ts'
import { makeEvent, makeIntent, noMarks } from '../test/support/ledger-records.ts'

const rounds = 5
const seconds = 4
const ratesPerSecond = [500, 5000]
const saturatedCallers = 64

/** The real disk, told how to write whatever the ledger thinks of it. */
const always = (isInThread: boolean): LedgerDisk => ({
  ...nodeDisk,
  create: async path => {
    const file = await nodeDisk.create(path)
    return { ...file, write: (bytes, position) => file.write(bytes, position, isInThread) }
  },
})
const disks: Readonly<Record<string, LedgerDisk>> = {
  'as it is': nodeDisk,
  'always in threads': always(true),
  'never in threads': always(false),
}

interface Round {
  readonly perSecond: number
  readonly cpuMicros: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly loopP99Micros: number
  readonly refused: number
}

const quantile = (sorted: readonly number[], share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)

/** `rate` 0: as many as can be, by some callers that each wait for their own. */
async function measure(disk: LedgerDisk, parent: string, rate: number): Promise<Round> {
  const folder = mkdtempSync(join(parent, 'weir-bench-'))
  const spool = await Spool.open({
    folder,
    disk,
    marks: noMarks,
    toUnknown: () => makeEvent('x'),
    onNotice: () => undefined,
  })
  const latencies: number[] = []
  let requests = 0
  let refused = 0
  const request = async (dueMs: number) => {
    requests += 1
    const id = `019${requests.toString(16).padStart(29, '0')}`
    while ((await spool.appendIntent(makeIntent(id))) === 'full') {
      refused += 1
      await delay(1)
    }
    latencies.push((performance.now() - dueMs) * 1000)
    await spool.appendFinal(makeEvent(id))
  }
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  if (rate === 0) {
    const caller = async () => {
      while (performance.now() < endMs) await request(performance.now())
    }
    await Promise.all(Array.from({ length: saturatedCallers }, caller))
  } else {
    const running: Promise<void>[] = []
    for (let due = startMs; due < endMs; ) {
      for (; due <= performance.now(); due += 1000 / rate) running.push(request(due))
      await delay(1)
    }
    await Promise.all(running)
  }
  const elapsedMs = performance.now() - startMs
  const { user, system } = process.cpuUsage(cpu)
  loop.disable()
  await spool.close()
  rmSync(folder, { recursive: true })
  const order = sorted(latencies)
  return {
    perSecond: Math.round((requests * 1000) / elapsedMs),
    cpuMicros: (user + system) / requests,
    p50Micros: quantile(order, 0.5),
    p99Micros: quantile(order, 0.99),
    loopP99Micros: loop.percentile(99) / 1000,
    refused,
  }
}

const [, , first = tmpdir(), name, rateText] = process.argv
const disk = name === undefined ? undefined : disks[name]
if (disk) {
  writeSync(1, JSON.stringify(await measure(disk, first, Number(rateText))))
} else {
  writeSync(
    1,
    '| load | writes | requests/s | CPU µs/request | intent p50 µs | p99 µs | event loop p99 µs | refused |\n',
  )
  writeSync(1, '|---|---|---|---|---|---|---|---|\n')
  for (const rate of [...ratesPerSecond, 0]) {
    const found = new Map<string, Round[]>(Object.keys(disks).map(each => [each, []]))
    for (let round = 0; round < rounds; round += 1) {
      for (const [each, list] of found) {
        const output = execFileSync(process.execPath, [import.meta.filename, first, each, String(rate)])
        list.push(JSON.parse(String(output)))
      }
    }
    for (const [each, list] of found) {
      const of = (field: keyof Round, share: number) => Math.round(quantile(sorted(list.map(one => one[field])), share))
      const load = rate === 0 ? `${saturatedCallers} callers` : `${rate}/s`
      const cells = [of('perSecond', 0.5), of('cpuMicros', 0.25), of('p50Micros', 0.5), of('p99Micros', 0.5)]
      writeSync(1, `| ${[load, each, ...cells, of('loopP99Micros', 0.5), of('refused', 0.5)].join(' | ')} |\n`)
    }
  }
}
