/** How an answer is written down: a version, a seal by which it proves to be ours and for this key, and what it says. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { isObject, type Json } from '../domain/chat-event.ts'
import type { Usage } from '../domain/usage.ts'

/** A whole answer of a chat or a completion. */
export interface StoredAnswer {
  /** When it was given, in milliseconds since 1970. */
  readonly atMs: number
  readonly usage: Usage
  /** A model may stop to give such answers again after it was kept. */
  readonly callsTools: boolean
  /** What the answer says beside its choices, such as `system_fingerprint`. */
  readonly extras: Json
  /** The list of choices, as JSON: most of it is given on unread. */
  readonly choices: string
}

/** The vector of one input. */
export interface StoredVector {
  readonly atMs: number
  /** Its share of what the batch had that it came with. */
  readonly inputTokens: number
  readonly vector: readonly number[]
}

const version = 1
const sealBytes = 16
const headBytes = 1 + sealBytes
const lf = 0x0a

export interface EntryName {
  readonly secret: Buffer
  readonly key: string
}

export function encodeAnswer(name: EntryName, { choices, ...meta }: StoredAnswer): Buffer {
  return seal(name, Buffer.from(`${JSON.stringify(meta)}\n${choices}`))
}

/** Null where it is no answer that was kept under this key by this version. */
export function decodeAnswer(name: EntryName, bytes: Buffer): StoredAnswer | null {
  const found = unseal(name, bytes)
  if (found === null) return null
  const { meta, rest } = found
  const { atMs, usage, callsTools, extras } = meta
  if (typeof atMs !== 'number' || !isUsage(usage) || typeof callsTools !== 'boolean' || !isObject(extras)) return null
  return { atMs, usage, callsTools, extras, choices: rest.toString('utf8') }
}

/** As 32-bit floats where those say the same, which they do for what engines give. */
export function encodeVector(name: EntryName, { vector, ...meta }: StoredVector): Buffer {
  const isSingle = vector.every(value => Math.fround(value) === value)
  const values = isSingle ? Float32Array.from(vector) : Float64Array.from(vector)
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  return seal(name, Buffer.concat([Buffer.from(`${JSON.stringify({ ...meta, bits: isSingle ? 32 : 64 })}\n`), bytes]))
}

export function decodeVector(name: EntryName, bytes: Buffer): StoredVector | null {
  const found = unseal(name, bytes)
  if (found === null) return null
  const { meta, rest } = found
  const { atMs, inputTokens, bits } = meta
  if (typeof atMs !== 'number' || typeof inputTokens !== 'number' || (bits !== 32 && bits !== 64)) return null
  // Copied to where numbers may begin.
  const { buffer } = new Uint8Array(rest)
  const width = bits / 8
  if (buffer.byteLength === 0 || buffer.byteLength % width !== 0) return null
  return { atMs, inputTokens, vector: Array.from(bits === 32 ? new Float32Array(buffer) : new Float64Array(buffer)) }
}

function seal(name: EntryName, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.of(version), sealOf(name, payload), payload])
}

function unseal(name: EntryName, bytes: Buffer): { readonly meta: Json; readonly rest: Buffer } | null {
  if (bytes.length <= headBytes || bytes[0] !== version) return null
  const payload = bytes.subarray(headBytes)
  if (!timingSafeEqual(sealOf(name, payload), bytes.subarray(1, headBytes))) return null
  const end = payload.indexOf(lf)
  const meta: unknown = JSON.parse(payload.toString('utf8', 0, end))
  return isObject(meta) ? { meta, rest: payload.subarray(end + 1) } : null
}

const sealOf = ({ secret, key }: EntryName, payload: Buffer): Buffer =>
  createHmac('sha256', secret).update(`entry:${version}:${key}:`).update(payload).digest().subarray(0, sealBytes)

const isUsage = (value: unknown): value is Usage =>
  isObject(value) &&
  typeof value['inputTokens'] === 'number' &&
  typeof value['cachedInputTokens'] === 'number' &&
  typeof value['outputTokens'] === 'number'
