/** A gateway whose model `tinychat` has two arms on one backend, told apart by the backend's own name of the model. */
import type { TestContext } from 'node:test'
import { buildGateway, type Gateway } from './gateway.ts'
import { question } from './inference.ts'
import type { ScriptedBackend } from './scripted-backend.ts'

export const experimentName = 'quantisation'

export interface ArmsOptions {
  readonly stickBy?: string
  readonly env?: Record<string, string>
}

/** The control is called `old`, the other arm `new`, both with the same weight. */
export function armsYaml(url: string, stickBy = 'x-user'): string {
  const targets = ['old', 'new'].map(arm => ({ backend: 'main', model: `tinychat-${arm}`, arm }))
  return JSON.stringify({
    // The breaker is the backend's, and would end one arm for the failures of the other.
    backends: { main: { url, engine: 'llama-server', breaker: { window: 1000, least: 1000 } } },
    models: {
      tinychat: { endpoints: ['chat', 'embeddings'], targets, experiment: { name: experimentName, stickBy } },
      other: { targets: [{ backend: 'main' }] },
    },
  })
}

export async function gatewayWithArms(
  t: TestContext,
  { url }: Pick<ScriptedBackend, 'url'>,
  { stickBy, env }: ArmsOptions = {},
): Promise<Gateway> {
  return await buildGateway(t, { yaml: armsYaml(url, stickBy), ...(env && { env }) })
}

/** Asks as each of these users; which arm has answered each, and the statuses. */
export async function armsOf({ openai }: Gateway, backend: ScriptedBackend, users: readonly string[]) {
  const arms: string[] = []
  for (const user of users) {
    const before = backend.exchangesTo('/v1/chat/completions').length
    await openai.chat.completions.create(question, { headers: { 'x-user': user } }).catch(() => null)
    const asked = backend.exchangesTo('/v1/chat/completions').slice(before)
    arms.push(asked.map(({ request }) => modelIn(request.body).replace('tinychat-', '')).join(','))
  }
  return arms
}

const modelIn = (body: Buffer): string => (JSON.parse(body.toString()) as { model: string }).model
