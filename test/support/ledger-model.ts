/** Random lives of a ledger: requests that begin and end, batches that are stored, processes that are killed. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { readFileSync, truncateSync } from 'node:fs'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { decodeFrames } from '../../src/ledger/frame.ts'
import { listSegments, segmentPath } from '../../src/ledger/segment-folder.ts'
import { copyAsCrashed, type OpenedSpool, openSpool, readAll } from './ledger.ts'
import { makeEvent, makeIntent } from './ledger-records.ts'

type LedgerStep =
  | { readonly kind: 'begin' }
  /** One of those that run, by a share of them. */
  | { readonly kind: 'end'; readonly which: number }
  | { readonly kind: 'store'; readonly records: number; readonly isAcknowledged: boolean }
  /** The process is killed; with the power, the newest segment ends after this share of it. */
  | { readonly kind: 'kill'; readonly tornAt: number | null }

const share = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })

function ledgerSteps({ isTorn }: { isTorn: boolean }): fc.Arbitrary<LedgerStep[]> {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constant<LedgerStep>({ kind: 'begin' }) },
    { weight: 4, arbitrary: share.map((which): LedgerStep => ({ kind: 'end', which })) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.integer({ min: 1, max: 4 }), fc.boolean())
        .map(([records, isAcknowledged]): LedgerStep => ({ kind: 'store', records, isAcknowledged })),
    },
    {
      weight: 1,
      arbitrary: (isTorn ? share : fc.constant(null)).map((tornAt): LedgerStep => ({ kind: 'kill', tornAt })),
    },
  )
  return fc.array(step, { maxLength: 40, size: 'max' })
}

interface Records {
  readonly intents: string[]
  readonly finals: string[]
}

class LedgerLife {
  /** Takes each id once, as the database does. */
  readonly store = new Map<string, UsageEvent>()
  readonly accepted: Records = { intents: [], finals: [] }
  /** Of the accepted those that no cut has taken. */
  readonly surviving: Records = { intents: [], finals: [] }
  unknownMade = 0
  readonly #t: TestContext
  #opened: OpenedSpool
  #running: string[] = []
  #outstanding = false

  constructor(t: TestContext, opened: OpenedSpool) {
    this.#t = t
    this.#opened = opened
  }

  async take(step: LedgerStep): Promise<void> {
    const { spool } = this.#opened
    switch (step.kind) {
      case 'begin': {
        const id = `r${this.accepted.intents.length}`
        strictEqual(await spool.appendIntent(makeIntent(id)), 'written')
        this.#running.push(id)
        this.#accept('intents', id)
        return
      }
      case 'end': {
        const [id] = this.#running.splice(Math.floor(step.which * this.#running.length), 1)
        if (id === undefined) return
        strictEqual(await spool.appendFinal(makeEvent(id)), 'written')
        this.#accept('finals', id)
        return
      }
      case 'store':
        return this.#store(step.records, step.isAcknowledged)
      case 'kill':
        return this.kill(step.tornAt)
    }
  }

  async kill(tornAt: number | null): Promise<void> {
    const folder = copyAsCrashed(this.#t, this.#opened.folder)
    await this.#opened.spool.close()
    if (tornAt !== null) await this.#tear(folder, tornAt)
    this.#running = []
    this.#outstanding = false
    this.#opened = await openSpool(this.#t, { folder, segmentBytes: 1500 })
    this.unknownMade += this.#opened.noticesOf('unknown').reduce((sum, { events }) => sum + events, 0)
  }

  async storeRest(): Promise<void> {
    for (const event of await readAll(this.#opened.spool)) this.#keep(event)
  }

  #accept(kind: keyof Records, id: string): void {
    this.accepted[kind].push(id)
    this.surviving[kind].push(id)
  }

  #keep(event: UsageEvent): void {
    if (!this.store.has(event.id)) this.store.set(event.id, event)
  }

  async #store(maxRecords: number, isAcknowledged: boolean): Promise<void> {
    // Batches are acknowledged in order: after one that never was, none is.
    if (this.#outstanding) return
    const batch = await this.#opened.spool.next({ maxRecords, maxBytes: 1024 ** 2 })
    if (batch === null) return
    for (const event of batch.events) this.#keep(event)
    if (isAcknowledged) await this.#opened.spool.acknowledge(batch)
    else this.#outstanding = true
  }

  async #tear(folder: string, share: number): Promise<void> {
    const newest = (await listSegments(folder)).at(-1)
    if (newest === undefined) return
    const path = segmentPath(folder, newest)
    const bytes = readFileSync(path)
    const cut = Math.floor(share * bytes.length)
    for (const { kind, payload, end } of decodeFrames(bytes).frames) {
      if (end <= cut) continue
      const records = this.surviving[kind === 1 ? 'intents' : 'finals']
      const place = records.indexOf(JSON.parse(payload.toString()).id)
      if (place >= 0) records.splice(place, 1)
    }
    truncateSync(path, cut)
  }
}

/** Lives through the steps and a last kill; then all that is left is stored. */
async function runLedger(t: TestContext, steps: readonly LedgerStep[]): Promise<LedgerLife> {
  const life = new LedgerLife(t, await openSpool(t, { segmentBytes: 1500 }))
  for (const step of steps) await life.take(step)
  await life.kill(null)
  await life.storeRest()
  return life
}

/** Whatever is appended, acknowledged and killed: every accepted event is stored, and nothing else. */
export async function checkNothingIsLost(t: TestContext, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(ledgerSteps({ isTorn: false }), async steps => {
      const { store, accepted, unknownMade } = await runLedger(t, steps)
      deepStrictEqual(new Set(store.keys()), new Set(accepted.intents))
      for (const [id, event] of store) strictEqual(event.status, accepted.finals.includes(id) ? 'ok' : 'unknown', id)
      strictEqual(unknownMade, accepted.intents.length - accepted.finals.length)
    }),
    { numRuns },
  )
}

/** Torn anywhere by a power cut: what lies before the cut is stored, each as it was. */
export async function checkWhatPowerCutsLeave(t: TestContext, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(ledgerSteps({ isTorn: true }), async steps => {
      const { store, accepted, surviving } = await runLedger(t, steps)
      for (const id of surviving.finals) strictEqual(store.get(id)?.status, 'ok', id)
      for (const id of surviving.intents) ok(store.has(id), id)
      for (const id of store.keys()) ok(accepted.intents.includes(id), id)
    }),
    { numRuns },
  )
}
