import assert from 'node:assert/strict'
import { test } from 'node:test'
import { migrateCommand } from '../../../src/commands/migrate.ts'
import { runnerOf } from '../../support/commands.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { migrationNames, openOldDatabase } from '../../support/schemas.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { adminKey, health, pepper, sdk, shownKey, statusWith, untilReady } from './calls.ts'

const missing = migrationNames.slice(-3)

test('on an older database it starts, is alive and not ready, changes nothing, and goes on once `weir migrate` has been run', async t => {
  const { sql, databaseUrl } = await openOldDatabase(t, migrationNames.length - missing.length)
  const backend = await startScriptedBackend(t)
  const env = { DATABASE_URL: databaseUrl, WEIR_KEY_PEPPER: pepper, WEIR_BACKEND_URL: backend.url }
  const [preset, bare] = await Promise.all([
    startGateway(t, { env: { ...env, WEIR_ADMIN_KEY: adminKey } }),
    startGateway(t, { env }),
  ])
  const lines = () => preset.logs().filter(({ msg }) => /waits for a migration/.test(String(msg)))
  await eventually('it says what it waits for', () => lines().length > 0)
  assert.match(JSON.stringify(lines()), new RegExp(`without ${missing.join(', ')}: run .npx weir migrate`))
  for (const { url } of [preset, bare]) {
    assert.deepEqual(await health(url), { code: 503, status: 'starting' })
    assert.equal((await health(url, '/health/live')).code, 200)
  }
  const messages = [{ role: 'user' as const, content: 'hi' }]
  await sdk(preset.url, adminKey).chat.completions.create({ model: 'tinychat', messages })
  assert.equal((await sql`select from weir_migrations`).length, migrationNames.length - missing.length)

  assert.equal((await runnerOf(migrateCommand)(env)).code, 0)
  await Promise.all([untilReady(preset.url), untilReady(bare.url)])
  assert.equal(await statusWith(bare.url, await shownKey(bare)), 200)
  assert.equal(lines().length, 1, 'it is said once')
  preset.kill()
  assert.equal((await preset.exit).code, 0)
  assert.equal((await sql`select from usage_events`).length, 1, 'what was used meanwhile is stored')
})
