/** Whether a request may be answered from the cache, and whether its answer may be kept. */
import type { GuardLevel } from '../schemas/guard-level.ts'

import type { CacheField } from '../schemas/sampling.ts'

/** What a model's configuration lets be done with its answers. */
export interface AnswerCaching {
  /** `deterministic`: only with temperature 0 or a seed; vectors always are. */
  readonly mode: 'deterministic' | 'all'
  readonly ttlMs: number
  /** Accounts are answered what others have asked. */
  readonly isShared: boolean
  /** Answers that call tools may be given again. */
  readonly keepsToolCalls: boolean
  /** Of what the answer would cost anew, from 0 to 1. */
  readonly priceShare: number
  /** A change makes all answers of before misses. */
  readonly revision: string
  /** When a question is answered as another one; absent where only the same one is. */
  readonly semantic?: SemanticCaching
}

/** When a question is near enough to another one. */
export interface SemanticCaching {
  /** Its public name. */
  readonly embeddingModel: string
  /** The least cosine. */
  readonly threshold: number
  readonly guard: GuardLevel
  /** The most turns of the user in a conversation. */
  readonly depth: number
  /** How long is looked. */
  readonly budgetMs: number
}

/** As the configuration has it. */
export interface CachingText {
  readonly mode: 'off' | 'deterministic' | 'all'
  readonly ttlMs: number
  readonly scope: 'account' | 'shared'
  readonly toolCalls: boolean
  readonly priceShare: number
  readonly semantic?: SemanticCaching | undefined
}

/** Of a model; absent where nothing may be done. */
export function cachingOf(text: CachingText | undefined, revision: string): { readonly caching?: AnswerCaching } {
  if (text === undefined || text.mode === 'off') return {}
  const { mode, ttlMs, scope, toolCalls: keepsToolCalls, priceShare, semantic } = text
  const caching = { mode, ttlMs, isShared: scope === 'shared', keepsToolCalls, priceShare, revision }
  return { caching: semantic === undefined ? caching : { ...caching, semantic } }
}

export interface CacheAsk {
  /** Of the model. */
  readonly caching: AnswerCaching
  /** The header Cache-Control as it came. */
  readonly cacheControl: string | undefined
  readonly field: CacheField | null | undefined
  readonly isDeterministic: boolean
  /** It has an arm of an experiment: each is to be measured by its own answers. */
  readonly isCompared: boolean
}

export type BypassReason = 'no_store' | 'no_cache' | 'not_deterministic' | 'experiment'

export type CacheDecision =
  /** Nothing is looked up; `mayStore` where the answer takes the place of what is there. */
  | { readonly kind: 'bypass'; readonly reason: BypassReason; readonly mayStore: boolean }
  | { readonly kind: 'lookup'; readonly maxAgeMs: number }

export function decideCaching({ caching, cacheControl, field, isDeterministic, isCompared }: CacheAsk): CacheDecision {
  const bypass = (reason: BypassReason, mayStore = false): CacheDecision => ({ kind: 'bypass', reason, mayStore })
  const asked = [readCacheControl(cacheControl), readField(field)]
  if (asked.some(({ isForbidden }) => isForbidden)) return bypass('no_store')
  if (isCompared) return bypass('experiment')
  if (caching.mode === 'deterministic' && !isDeterministic) return bypass('not_deterministic')
  const maxAgeMs = Math.min(caching.ttlMs, ...asked.map(it => it.maxAgeMs))
  return maxAgeMs <= 0 ? bypass('no_cache', true) : { kind: 'lookup', maxAgeMs }
}

interface Wish {
  readonly isForbidden: boolean
  readonly maxAgeMs: number
}

const anyAge = Number.POSITIVE_INFINITY
const noWish: Wish = { isForbidden: false, maxAgeMs: anyAge }

/** What a request may say by RFC 9111 §5.2.1; other directives, and what is none, change nothing. */
function readCacheControl(header: string | undefined): Wish {
  if (header === undefined) return noWish
  let isForbidden = false
  let maxAgeMs = anyAge
  for (const part of header.split(',')) {
    const [name = '', value = ''] = part.trim().toLowerCase().split('=')
    if (name === 'no-store') isForbidden = true
    else if (name === 'no-cache') maxAgeMs = 0
    else if (name === 'max-age' && /^\d{1,9}$/.test(value)) maxAgeMs = Math.min(maxAgeMs, Number(value) * 1000)
  }
  return { isForbidden, maxAgeMs }
}

function readField(field: CacheField | null | undefined): Wish {
  if (field === undefined || field === null || field === true) return noWish
  if (field === false) return { isForbidden: true, maxAgeMs: anyAge }
  const { no_store: noStore, no_cache: noCache, max_age: maxAge } = field
  const maxAgeMs = noCache === true ? 0 : typeof maxAge === 'number' ? maxAge * 1000 : anyAge
  return { isForbidden: noStore === true, maxAgeMs }
}

/** By which engines mean none, and draw one: -1, for llama-server also as 32 bits without a sign. */
const drawnSeeds: ReadonlySet<unknown> = new Set([-1, 0xffffffff])

/** Whether two answers to the request are likely to be the same, as far as anybody can ask for that. */
export const asksForOneAnswer = ({ temperature, seed }: { temperature?: unknown; seed?: unknown }): boolean =>
  temperature === 0 || (typeof seed === 'number' && !drawnSeeds.has(seed))
