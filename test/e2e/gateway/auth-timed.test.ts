import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeApiKey } from '../../../src/domain/api-key.ts'
import { buildReadyAuthApp, storeKey } from '../../support/auth-app.ts'
import { createDatabase } from '../../support/services.ts'

const pairs = 400
/** As the row has it. */
const tolerance = 0.2

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

test('K01: an unknown key takes as long to refuse as a revoked one, asked for or remembered', async t => {
  const { app } = await buildReadyAuthApp(t, await createDatabase(t))
  const revoked = await Promise.all(Array.from({ length: pairs }, () => storeKey(app, { name: 'to be revoked' })))
  await app.sql`update api_keys set revoked_at = now() where name = 'to be revoked'`
  const unknown = Array.from({ length: pairs }, () => makeApiKey(app.peppers).key)
  const time = async (key: string): Promise<number> => {
    const startedAt = performance.now()
    const { statusCode } = await app.inject({ url: '/chat', headers: { 'x-api-key': key } })
    const tookMs = performance.now() - startedAt
    assert.equal(statusCode, 401)
    return tookMs
  }
  for (let index = 0; index < 50; index += 1) await time(makeApiKey(app.peppers).key)
  for (const how of ['asked for', 'remembered']) {
    const times: { readonly unknown: number[]; readonly revoked: number[] } = { unknown: [], revoked: [] }
    for (let index = 0; index < pairs; index += 1) {
      // In turns, and each first as often as the other: what drifts falls on both.
      const turns = index % 2 === 0 ? (['unknown', 'revoked'] as const) : (['revoked', 'unknown'] as const)
      for (const kind of turns) times[kind].push(await time((kind === 'unknown' ? unknown : revoked)[index] ?? ''))
    }
    const ratio = median(times.unknown) / median(times.revoked)
    assert.ok(Math.abs(ratio - 1) <= tolerance, `${how}: unknown takes ${ratio.toFixed(2)} times as long`)
  }
})
