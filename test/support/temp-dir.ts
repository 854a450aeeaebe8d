import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { onEnd } from './cleanup.ts'

/** An empty folder of the test's own, gone when the test ends. */
export function makeTempDir(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'weir-test-'))
  onEnd(t, () => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }))
  return path
}
