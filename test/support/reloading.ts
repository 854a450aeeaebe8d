/** A gateway whose weir.yaml changes under it. */
import type { TestContext } from 'node:test'
import { type AdminAnswer, adminOf } from './admin.ts'
import { adminKey, buildGateway } from './gateway.ts'
import { question } from './inference.ts'
import { type ScriptedBackend, startScriptedBackend } from './scripted-backend.ts'

export interface Settings {
  readonly server?: object
  readonly backends?: object
  readonly models?: object
  readonly tiers?: object
  readonly [key: string]: unknown
}

/** By calls and signals only, so that each test decides when the file is read. */
export const yamlOf = ({ server = {}, ...rest }: Settings) =>
  JSON.stringify({ server: { watchConfig: false, ...server }, ...rest })

/** One backend with one model. */
export const served = (url: string) => ({
  backends: { main: { url, engine: 'llama-server' } },
  models: { tinychat: { targets: [{ backend: 'main' }] } },
})

export async function startReloading(t: TestContext, settings: (backend: ScriptedBackend) => Settings = () => ({})) {
  const backend = await startScriptedBackend(t)
  const gateway = await buildGateway(t, { yaml: yamlOf({ ...served(backend.url), ...settings(backend) }) })
  const admin = adminOf(gateway)
  const reload = async (next?: Settings): Promise<AdminAnswer> => {
    if (next !== undefined) gateway.writeYaml(yamlOf(next))
    return await admin.ask('POST', '/config/reload')
  }
  const asked = async (key: string = adminKey, model = 'tinychat') => {
    const response = await gateway.fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...question, model }),
    })
    const body = (await response.json()) as { error?: { message: string } }
    return { status: response.status, message: body.error?.message ?? '' }
  }
  return { backend, gateway, reload, asked }
}

export const pickReload = ({ status, body }: AdminAnswer) => ({
  status,
  outcome: body['outcome'],
  changed: body['changed'],
  needsRestart: body['needs_restart'],
})
