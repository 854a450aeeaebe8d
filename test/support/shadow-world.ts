/** A gateway with models in shadow mode: callers have `main`, copies go to `trial` and to others. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { BackendView } from '../../src/schemas/admin/backends.ts'
import type { ExperimentReportView } from '../../src/schemas/admin/experiments.ts'
import { adminOf } from './admin.ts'
import { llamaServer, vllmServer } from './engines.ts'
import { eventually } from './eventually.ts'
import type { Exchange } from './exchange.ts'
import { adminKey, buildGateway } from './gateway.ts'
import { question } from './inference.ts'
import { type ScriptedBackend, startScriptedBackend } from './scripted-backend.ts'
import { Series } from './series.ts'

const chatPath = '/v1/chat/completions'
/** Tokens of an answer, by whose it is. */
export const answerTokens = { main: 3, trial: 20 }

export interface ShadowWorldOptions {
  /** Models beside `tinychat`, half of whose callers have a copy at `trial`. */
  readonly models?: object
  /** What they say beside where they are: all but `main` are one server under different names. */
  readonly backends?: Readonly<Record<string, object>>
  readonly tiers?: object
}

/** A model in shadow mode of which nearly all callers have a copy. Its experiment is called as the model is. */
export const shadowed = (name: string, control: string, trial: string) => ({
  [name]: {
    targets: [
      { backend: control, arm: 'control', weight: 1 },
      { backend: trial, arm: 'trial', weight: 1000, model: 'trial-model' },
    ],
    experiment: { name, stickBy: 'x-user', shadow: true },
  },
})

export type ShadowWorld = Awaited<ReturnType<typeof startShadowWorld>>

export async function startShadowWorld(t: TestContext, options: ShadowWorldOptions) {
  const main = await startScriptedBackend(t, llamaServer({ answer: { tokens: answerTokens.main }, dimensions: 4 }))
  // Unlike a llama-server, it answers in one piece where it is asked to.
  const healthy = vllmServer({ model: 'trial-model', answer: { tokens: answerTokens.trial }, dimensions: 8 })
  const trial = await startScriptedBackend(t, healthy)
  const yamlOf = ({ models, backends, tiers }: ShadowWorldOptions) => {
    const serverOf = (name: string) =>
      name === 'main' ? { url: main.url, engine: 'llama-server' } : { url: trial.url, engine: 'vllm' }
    const targets = [
      { backend: 'main', arm: 'control' },
      { backend: 'trial', arm: 'trial', model: 'trial-model' },
    ]
    const all = Object.entries({ main: {}, trial: {}, ...backends })
    return JSON.stringify({
      ...(tiers && { tiers }),
      backends: Object.fromEntries(
        all.map(([name, settings]) => [name, { ...serverOf(name), slots: 100, ...settings }]),
      ),
      models: {
        tinychat: {
          endpoints: ['chat', 'embeddings'],
          targets,
          experiment: { name: 'tinychat', stickBy: 'x-user', shadow: true },
        },
        ...models,
      },
    })
  }
  const gateway = await buildGateway(t, { yaml: yamlOf(options) })
  const admin = adminOf(gateway)
  const reportOf = (name: string) => admin.get<ExperimentReportView>('GET', `/experiments/${name}`)
  await eventually('the states are known', async () => (await admin.ask('GET', '/experiments/tinychat')).status === 200)

  const bodyOf = ({ request }: Exchange) => JSON.parse(request.body.toString()) as { model: string; stream: boolean }
  const bodiesAt = (backend: ScriptedBackend) => backend.exchangesTo(chatPath).map(bodyOf)
  return {
    gateway,
    admin,
    main,
    trial,
    healthy,
    /** The models that inference requests to a backend have named, by the backend's own names. */
    asked: (backend: ScriptedBackend) => bodiesAt(backend).map(({ model }) => model),
    bodiesAt,
    /** By the official SDK; its answers are held to the contract. */
    ask: (user: string, model = 'tinychat') =>
      gateway.openai.chat.completions.create({ ...question, model }, { headers: { 'x-user': user } }),
    /** Asks for a stream by plain HTTP; `signal` leaves. */
    stream: (user: string, model = 'tinychat', signal?: AbortSignal) =>
      fetch(`${gateway.url}${chatPath}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json', 'x-user': user },
        body: JSON.stringify({ ...question, model, stream: true }),
        ...(signal && { signal }),
      }),
    /** Requests, errors and output tokens of each arm. */
    async tallies(name: string) {
      const { arms } = await reportOf(name)
      return Object.fromEntries(arms.map(arm => [arm.name, [arm.requests, arm.errors, arm.output_tokens]]))
    },
    reportOf,
    /** Takes on another configuration. */
    async reload(next: ShadowWorldOptions) {
      gateway.writeYaml(yamlOf(next))
      await admin.get('POST', '/config/reload')
    },
    /** The sum of the series of /metrics that have these labels, 0 where there is none. */
    async metric(name: string, labels: Readonly<Record<string, string | number>>) {
      const text = await (await gateway.fetch(`${gateway.url}/metrics`)).text()
      return new Series(text).sum(name, labels) ?? 0
    },
    async breakerOf(backend: string) {
      const { data } = await admin.get<{ data: BackendView[] }>('GET', '/backends')
      return data.find(({ name }) => name === backend)?.breakers.find(({ endpoint }) => endpoint === 'chat')
    },
  }
}

/** Waits until this many copies for the arm `trial` have ended so. */
export async function copiesAre(world: ShadowWorld, name: string, outcome: string, count: number): Promise<void> {
  let seen: unknown
  await eventually(`${count} copies ${outcome}`, async () => {
    seen = await world.metric('weir_shadow_requests_total', { experiment: name, arm: 'trial', outcome })
    return seen === count
  }).catch((error: unknown) => assert.fail(`${String(error)}: it is ${String(seen)}`))
}

/** Waits until these are the requests, errors and output tokens of each arm. */
export async function tallied(world: ShadowWorld, name: string, arms: Record<string, number[]>): Promise<void> {
  await eventually(`the arms of ${name}`, async () => {
    assert.deepEqual(await world.tallies(name), arms)
    return true
  })
}
