import { badRequest } from './wire-error.ts'

/** llama.cpp refuses more repetitions than this by an exception that ends the process. */
const maxRepetitions = 2000
/** Building a parser takes time that grows with the square of the depth, and nothing else runs meanwhile. */
const maxDepth = 100

/** Throws a 400 when a schema, or tools with theirs, are nested too deeply. */
export function checkDepth(value: unknown, name: string, depth = 0): void {
  if (depth > maxDepth) throw badRequest(`'${name}' is nested more than ${maxDepth} levels deep`)
  if (typeof value !== 'object' || value === null) return
  for (const part of Object.values(value)) checkDepth(part, name, depth + 1)
}

/**
 * Throws a 400 when a grammar made of a schema repeats something too often (`minLength`, `maxItems`, a pattern's `{n}`).
 * A text literal that looks like such a repetition is refused too: telling them apart is not worth a crash.
 */
export function checkRepetitions(grammar: string): void {
  for (const [, from, to] of grammar.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    if (Math.max(Number(from), Number(to ?? 0)) > maxRepetitions) {
      throw badRequest(`the schema asks for more than ${maxRepetitions} repetitions (a length, a count or a pattern)`)
    }
  }
}
