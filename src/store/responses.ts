/**
 * Answers that may be given again, in Redis, for all replicas. Each call is one round trip that runs one of the scripts beside
 * this file. All keys have one hash tag, so a cluster keeps the whole cache on one node.
 */
import { createHash, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import {
  type Belonging,
  type Forgetting,
  type Found,
  forgottenMs,
  type Kept,
  type NewEntry,
  type ResponseStore,
  type StoreEvents,
} from '../domain/response-store.ts'
import type { RedisUse } from './redis-client.ts'

/** Whoever asks does not wait as long, and knows by itself when to give up; see src/cache/guarded-store.ts. */
export const responsesConnection: RedisUse = { connectionName: 'weir-answers', commandTimeout: 500 }

export interface RedisResponsesOptions extends StoreEvents {
  readonly client: Redis
  /** Of all entries; their keys and places in the index are counted too. */
  readonly maxBytes: number
  readonly maxEntryBytes: number
}

interface Script {
  readonly text: string
  readonly sha: string
}

function readScript(name: string): Script {
  const text = readFileSync(new URL(`response-scripts/${name}.lua`, import.meta.url), 'utf8')
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

const scripts = { find: readScript('find'), put: readScript('put'), remove: readScript('remove') }

const prefix = 'weir:{answers}:'
const indexKeys = [`${prefix}index`, `${prefix}sums`] as const
const entryKey = (key: string) => `${prefix}answer:${key}`
const accountKey = (account: string) => `${prefix}account:${account}`
const modelKey = (model: string) => `${prefix}model:${model}`

/** What an entry takes in Redis beside its bytes. */
const entryOverheadBytes = 512
/** Before an entry's bytes stand the moments that it belongs to. */
const maxMomentBytes = 128

export class RedisResponses implements ResponseStore {
  readonly #options: RedisResponsesOptions

  constructor(options: RedisResponsesOptions) {
    this.#options = options
  }

  async find(keys: readonly string[], { owner, model }: Belonging): Promise<Found> {
    const names = [...keys.map(entryKey), accountKey(owner), modelKey(model)]
    const most = this.#options.maxEntryBytes + maxMomentBytes
    const [ofOwner, ofModel, ...values] = (await this.#run('find', names, [most])) as (Buffer | null)[]
    const moment = `${ofOwner?.toString('latin1') ?? ''}/${ofModel?.toString('latin1') ?? ''}`
    return { moment, entries: values.map(value => (value === null ? null : entryOf(value, moment))) }
  }

  async put(entries: readonly NewEntry[], { moment, ttlMs }: Kept): Promise<void> {
    const fitting = entries.filter(({ bytes }) => bytes.length <= this.#options.maxEntryBytes)
    if (fitting.length === 0) return
    const names = [...indexKeys, ...fitting.map(({ key }) => entryKey(key))]
    const head = Buffer.from(`${moment}\n`, 'latin1')
    const values = fitting.map(({ bytes }) => Buffer.concat([head, bytes]))
    const bounds = [ttlMs, this.#options.maxBytes, entryOverheadBytes, forgottenMs]
    const [sum = 0, evicted = 0] = (await this.#run('put', names, [...bounds, ...values])) as number[]
    this.#options.onBytes(sum)
    if (evicted > 0) this.#options.onEvicted(evicted)
  }

  async remove(key: string): Promise<void> {
    const sum = await this.#run('remove', [...indexKeys, entryKey(key)], [entryOverheadBytes])
    this.#options.onBytes(Number(sum))
  }

  async forget(what: Forgetting): Promise<void> {
    if (what.kind === 'key') return this.remove(what.key)
    const name = what.kind === 'account' ? accountKey(what.accountId) : modelKey(what.model)
    await this.#options.client.set(name, randomUUID(), 'PX', forgottenMs)
  }

  async #run(verb: keyof typeof scripts, names: readonly string[], args: readonly (string | number | Buffer)[]) {
    const { client } = this.#options
    const { text, sha } = scripts[verb]
    const all = [names.length, ...names, ...args] as const
    try {
      return await client.callBuffer('EVALSHA', sha, ...all)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      // Loads it as well.
      return await client.callBuffer('EVAL', text, ...all)
    }
  }
}

/** Null where it was kept before its owner or model was forgotten. What is no entry of ours is given on, for who can tell. */
function entryOf(value: Buffer, moment: string): Buffer | null {
  const end = value.indexOf(0x0a)
  if (end === -1 || end > maxMomentBytes) return value
  return value.toString('latin1', 0, end) === moment ? value.subarray(end + 1) : null
}
