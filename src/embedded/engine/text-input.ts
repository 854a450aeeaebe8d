import type { Engine } from './engine.ts'
import type { RequestBody } from './request-body.ts'
import { badRequest } from './wire-error.ts'

const maxItems = 2048

/** A field that is a string, string[], int[] (one text as token ids) or int[][], as texts. Throws a 400 for anything else. */
export async function readTextInputs(engine: Engine, body: RequestBody, name: string): Promise<readonly string[]> {
  const value = body.unknown(name)
  if (value === undefined) throw badRequest(`'${name}' is required`)
  if (typeof value === 'string') return [value]
  if (!Array.isArray(value) || value.length === 0) throw badRequest(`'${name}' must be a string or a non-empty array`)
  const items: readonly unknown[] = value
  if (isTokenList(items)) return [await engine.detokenize(items)]
  if (items.length > maxItems) throw badRequest(`'${name}' must have at most ${maxItems} items`)
  return Promise.all(items.map(item => readText(engine, item, name)))
}

async function readText(engine: Engine, item: unknown, name: string): Promise<string> {
  if (typeof item === 'string') return item
  const tokens: unknown[] | null = Array.isArray(item) ? item : null
  if (tokens !== null && isTokenList(tokens)) return engine.detokenize(tokens)
  throw badRequest(`'${name}' must hold strings or arrays of token ids`)
}

function isTokenList(items: readonly unknown[]): items is readonly number[] {
  return items.every(item => typeof item === 'number')
}
