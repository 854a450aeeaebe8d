import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import postgres from 'postgres'
import { root } from '../../architecture/source-file.ts'
import { onEnd } from '../../support/cleanup.ts'
import { startDebianPostgres } from '../../support/debian-postgres.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, pepper, sdk, untilReady } from '../process/calls.ts'

const page = readFileSync(join(root, 'docs/DEPLOYMENT.md'), 'utf8')

/** The words of the page's command, without the addresses that everybody has others of. */
function documented(program: string): string[] {
  const [, words = ''] = new RegExp(`^ +(?:docker compose exec -T \\S+ )?${program} (.*)$`, 'm').exec(page) ?? []
  return words.split(' ').filter(word => /^--(?!dbname|username|host)[\w-]+(=[\w-]+)?$/.test(word))
}

test('a backup by the commands of the documentation, restored elsewhere, has every key and all use once', async t => {
  const { server, run } = await startDebianPostgres(t)
  const urlOf = (database: string) => Object.assign(new URL(server.url), { pathname: database }).href
  await run('createdb', ['weir'])
  const backend = await startScriptedBackend(t, llamaServer({ dimensions: 4 }))
  const folder = makeTempDir(t)
  const env = { WEIR_KEY_PEPPER: pepper, WEIR_ADMIN_KEY: adminKey, WEIR_BACKEND_URL: backend.url }
  const gateway = await startGateway(t, { folder, env: { ...env, DATABASE_URL: urlOf('weir') } })
  await untilReady(gateway.url)
  const post = async (path: string, body: object): Promise<{ key: string }> => {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
    const response = await fetch(gateway.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    strictEqual(response.status, 201)
    return JSON.parse(await response.text())
  }
  await post('/admin/accounts', { name: 'acme', tier: 'enterprise' })
  const { key } = await post('/admin/keys', { account: 'acme', name: 'of acme' })
  const embed = (url: string) => sdk(url, key).embeddings.create({ model: 'tinychat', input: 'hi' })
  const idsIn = async (database: string) => {
    const sql = postgres(urlOf(database), { max: 1 })
    onEnd(t, () => sql.end())
    const rows = await sql<{ request_id: string }[]>`SELECT request_id FROM usage_events`
    return rows.map(({ request_id }) => request_id)
  }
  for (let n = 0; n < 3; n += 1) await embed(gateway.url)
  await eventually('they are stored', async () => (await idsIn('weir')).length === 3)

  // What the database does not have when it is copied is on the replica's own disk.
  server.freeze()
  for (let n = 0; n < 2; n += 1) await embed(gateway.url)
  gateway.kill('SIGKILL')
  await gateway.exit
  server.thaw()
  const [ledger, dump] = [join(makeTempDir(t), 'ledger'), join(makeTempDir(t), 'weir.dump')]
  cpSync(join(folder, '.weir', 'ledger'), ledger, { recursive: true })
  ok(documented('pg_dump').includes('--format=custom'))
  await run('pg_dump', [...documented('pg_dump'), `--file=${dump}`, '--dbname=weir'])

  await run('createdb', ['restored'])
  ok(documented('pg_restore').length > 0)
  await run('pg_restore', [...documented('pg_restore'), '--dbname=restored', dump])
  strictEqual((await idsIn('restored')).length, 3)
  const weir = join(root, 'scripts/weir.js')
  const replay = () =>
    execFileSync(process.execPath, [weir, 'ledger', 'replay', '--dir', ledger, '--json'], {
      cwd: makeTempDir(t),
      env: { PATH: process.env['PATH'], ...env, DATABASE_URL: urlOf('restored') },
      encoding: 'utf8',
    })
  replay()
  replay()
  const ids = await idsIn('restored')
  strictEqual(ids.length, 5)
  strictEqual(new Set(ids).size, 5)

  const again = await startGateway(t, { env: { ...env, DATABASE_URL: urlOf('restored') } })
  await untilReady(again.url)
  await embed(again.url)
  await eventually('it goes on from there', async () => (await idsIn('restored')).length === 6)
  deepStrictEqual(
    (await sdk(again.url, key).models.list()).data.map(({ id }) => id),
    ['tinychat'],
  )
})
