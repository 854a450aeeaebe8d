/** Gateways with a webhook, on one database, and callers that have quotas and spend limits. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { adminOf } from './admin.ts'
import { chat } from './completion.ts'
import { llamaServer } from './engines.ts'
import { buildGateway, type Gateway } from './gateway.ts'
import { startScriptedBackend } from './scripted-backend.ts'
import { createMigratedDatabase } from './services.ts'
import { startReceiver } from './webhook-receiver.ts'

export const webhookSecret = 'c0ffee5eed1e55-of-the-webhook-of-this-test'

/** Each answer costs 0.01 USD and has 1000 tokens, whatever was held for it. */
export const dearAnswer = llamaServer({ chat: chat({ tokens: 1, promptTokens: 999 }) })

export const hookedYaml = (backendUrl: string, webhooks: object) =>
  JSON.stringify({
    backends: { main: { url: backendUrl, engine: 'llama-server', slots: 100 } },
    models: {
      tinychat: {
        targets: [{ backend: 'main' }],
        maxOutputTokens: 10,
        prices: [{ from: '2026-01-01', input: '10', output: '10' }],
      },
    },
    tiers: { free: { spendLimits: { perMonth: '0.02' } }, none: {} },
    webhooks,
  })

export async function startHooked(t: TestContext, count = 1) {
  const [receiver, backend] = [await startReceiver(t), await startScriptedBackend(t, dearAnswer)]
  const yamlWith = (webhooks: object) => hookedYaml(backend.url, webhooks)
  const hooks = { ops: { url: `${receiver.url}/in?token=hidden`, secret: { env: 'HOOK_SECRET' } } }
  const env = { DATABASE_URL: await createMigratedDatabase(t), HOOK_SECRET: webhookSecret }
  const gateways: Gateway[] = []
  for (let n = 0; n < count; n += 1) gateways.push(await buildGateway(t, { yaml: yamlWith(hooks), env }))
  const [gateway] = gateways
  assert.ok(gateway)
  const admin = adminOf(gateway)
  const account = async (name: string, tier: string, limits = {}) =>
    (await admin.get<{ id: string }>('POST', '/accounts', { name, tier, limits })).id
  const key = async (name: string, limits = {}) =>
    (await admin.get<{ key: string }>('POST', '/keys', { account: name, name: 'a key', limits })).key
  const ask = async (secretKey: string, via: Gateway = gateway) => {
    const response = await via.fetch(`${via.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secretKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tinychat', messages: [{ role: 'user', content: 'hi' }] }),
    })
    await response.text()
    return response.status
  }
  return { gateways, gateway, receiver, admin, account, key, ask, yamlWith, hooks }
}
