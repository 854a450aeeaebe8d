import { createSecretKey } from 'node:crypto'
import type { Peppers } from '../../src/domain/api-key.ts'

/** Peppers of versions 1, 2 … from these texts; new keys are made with the last. */
export function peppersOf(...texts: readonly string[]): Peppers {
  const byVersion = new Map(texts.map((text, index) => [index + 1, createSecretKey(text, 'utf8')]))
  return { current: texts.length, byVersion }
}
