/** What every store of answers does. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type { Belonging, Found, ResponseStore } from '../../src/domain/response-store.ts'
import { eventually } from './eventually.ts'

export interface StoreBounds {
  readonly maxBytes?: number
  readonly maxEntryBytes?: number
}

export interface WatchedStore {
  readonly store: ResponseStore
  /** What it has said of itself. */
  readonly seen: { bytes: number; evicted: number }
}

export type MakeResponses = (t: TestContext, bounds?: StoreBounds) => Promise<WatchedStore>

export const newKey = () => randomBytes(32).toString('hex')
const mine: Belonging = { owner: 'a', model: 'm' }
const minute = 60_000

/** Looks, and keeps what is given under keys that nothing was found under, as the cache does. */
export async function keep(
  store: ResponseStore,
  entries: Readonly<Record<string, string>>,
  { belonging = mine, ttlMs = minute }: { belonging?: Belonging; ttlMs?: number } = {},
): Promise<void> {
  const { moment } = await store.find([], belonging)
  const made = Object.entries(entries).map(([key, text]) => ({ key, bytes: Buffer.from(text) }))
  await store.put(made, { ...belonging, moment, ttlMs })
}

export async function textsOf(
  store: ResponseStore,
  keys: readonly string[],
  belonging = mine,
): Promise<(string | null)[]> {
  const { entries }: Found = await store.find(keys, belonging)
  return entries.map(bytes => bytes?.toString() ?? null)
}

export function testResponses(name: string, make: MakeResponses): void {
  test(`${name}: what was kept is found, in the order of the keys, byte for byte`, async t => {
    const { store, seen } = await make(t)
    const [one, two, none] = [newKey(), newKey(), newKey()]
    await keep(store, { [one]: 'first', [two]: 'second\n\0ü' })
    assert.deepEqual(await textsOf(store, [two, none, one]), ['second\n\0ü', null, 'first'])
    assert.deepEqual(await textsOf(store, []), [])
    assert.ok(seen.bytes > 11)
    await keep(store, { [one]: 'newer' })
    assert.deepEqual(await textsOf(store, [one]), ['newer'])
    await store.remove(one)
    await store.remove(none)
    assert.deepEqual(await textsOf(store, [one, two]), [null, 'second\n\0ü'])
  })

  test(`${name}: an entry lives as long as it was given`, async t => {
    const { store } = await make(t)
    const [short, long] = [newKey(), newKey()]
    await keep(store, { [short]: 's' }, { ttlMs: 20 })
    await keep(store, { [long]: 'l' })
    await eventually('the short one to go', async () => (await textsOf(store, [short]))[0] === null)
    assert.deepEqual(await textsOf(store, [long]), ['l'])
  })

  test(`${name}: what is forgotten by account, model or key is not found, and the rest is`, async t => {
    const { store } = await make(t)
    const of = (owner: string, model: string): Belonging => ({ owner, model })
    const places = [of('a', 'm'), of('a', 'n'), of('b', 'm'), of('b', 'n')]
    const keys = places.map(newKey)
    const all = async () => {
      const found: boolean[] = []
      for (const [index, belonging] of places.entries()) {
        found.push((await textsOf(store, [keys[index] ?? ''], belonging))[0] !== null)
      }
      return found
    }
    const fill = async () => {
      for (const [index, belonging] of places.entries()) await keep(store, { [keys[index] ?? '']: 'x' }, { belonging })
    }
    await fill()
    assert.deepEqual(await all(), [true, true, true, true])
    await store.forget({ kind: 'account', accountId: 'a' })
    assert.deepEqual(await all(), [false, false, true, true])
    await store.forget({ kind: 'model', model: 'n' })
    assert.deepEqual(await all(), [false, false, true, false])
    await store.forget({ kind: 'key', key: keys[2] ?? '' })
    assert.deepEqual(await all(), [false, false, false, false])
    // What comes afterwards is kept as ever.
    await fill()
    assert.deepEqual(await all(), [true, true, true, true])
  })

  test(`${name}: an answer that was asked for before its account was forgotten, and comes after that, is not found`, async t => {
    const { store } = await make(t)
    for (const what of [
      { kind: 'account', accountId: 'a' },
      { kind: 'model', model: 'm' },
    ] as const) {
      const key = newKey()
      const { moment } = await store.find([key], mine)
      await store.forget(what)
      await store.put([{ key, bytes: Buffer.from('late') }], { ...mine, moment, ttlMs: minute })
      assert.deepEqual(await textsOf(store, [key]), [null], what.kind)
    }
  })

  test(`${name}: all of it stays within its bytes, and what is too large is not kept`, async t => {
    const maxBytes = 64 * 1024
    const { store, seen } = await make(t, { maxBytes, maxEntryBytes: 4096 })
    const huge = newKey()
    await keep(store, { [huge]: 'x'.repeat(4097) })
    assert.deepEqual(await textsOf(store, [huge]), [null])
    const keys = Array.from({ length: 60 }, newKey)
    for (const key of keys) {
      await keep(store, { [key]: 'x'.repeat(2000) })
      assert.ok(seen.bytes <= maxBytes, `${seen.bytes} bytes`)
    }
    const found = await textsOf(store, keys)
    const kept = found.filter(text => text !== null).length
    assert.ok(kept >= 20 && kept < 33, `${kept} are kept`)
    assert.equal(seen.evicted, 60 - kept)
    // The newest is among them.
    assert.notEqual(found.at(-1), null)
  })
}
