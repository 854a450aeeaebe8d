import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { onEnd } from '../../support/cleanup.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { happens } from '../../support/inbox.ts'
import { jwkOf, makeKeyPair, signJwt } from '../../support/jwt-maker.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, health, pepper, sdk, statusWith, untilReady } from './calls.ts'

test('G05 with the identity provider down it starts, serves keys, tells JWTs to wait, and heals by itself', async t => {
  const pair = makeKeyPair('ES256')
  const provider = createServer((_request, response) => response.end(JSON.stringify({ keys: [jwkOf(pair, 'one')] })))
  provider.listen(0, '127.0.0.1')
  await happens(provider, 'listening')
  const { port } = provider.address() as AddressInfo
  provider.close()
  await happens(provider, 'close')
  const issuer = `http://127.0.0.1:${port}/`
  const folder = makeTempDir(t)
  const yaml = `auth: { issuers: { corp: { issuer: "${issuer}", audience: [weir], jwksUrl: "${issuer}jwks", provision: true } } }`
  writeFileSync(join(folder, 'weir.yaml'), yaml)
  const backend = await startScriptedBackend(t)
  const { url, logs } = await startGateway(t, {
    folder,
    env: {
      DATABASE_URL: await createDatabase(t),
      WEIR_KEY_PEPPER: pepper,
      WEIR_ADMIN_KEY: adminKey,
      WEIR_BACKEND_URL: backend.url,
    },
  })
  await untilReady(url, 10_000)
  const exp = Math.ceil(Date.now() / 1000) + 600
  const jwt = signJwt(pair, { iss: issuer, aud: 'weir', sub: 'somebody', exp }, { kid: 'one' })
  assert.equal(await statusWith(url, adminKey), 200)
  assert.equal(await statusWith(url, jwt), 503)
  assert.equal((await health(url)).code, 200)

  provider.listen(port, '127.0.0.1')
  await happens(provider, 'listening')
  onEnd(t, () => provider.close())
  await eventually('the JWT is let in', async () => (await statusWith(url, jwt)) === 200, { withinMs: 10_000 })
  const messages = [{ role: 'user' as const, content: 'hi' }]
  const answer = await sdk(url, jwt).chat.completions.create({ model: 'tinychat', messages })
  assert.ok(answer.choices[0]?.message.content)

  provider.closeAllConnections()
  provider.close()
  await happens(provider, 'close')
  assert.equal(await statusWith(url, jwt), 200)
  const another = signJwt(pair, { iss: issuer, aud: 'weir', sub: 'somebody else', exp }, { kid: 'one' })
  assert.equal(await statusWith(url, another), 200)
  // Said once that it is down and once that it is back; lines are written out a moment later.
  const said = () => logs().filter(({ msg }) => /issuer of JWTs/.test(String(msg)))
  await eventually('the log has both', () => said().length >= 2)
  assert.deepEqual(
    said().map(({ level }) => level),
    [40, 30],
  )
})
