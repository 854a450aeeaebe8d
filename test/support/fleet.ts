/** A gateway before several scripted backends that serve one model. */
import type { TestContext } from 'node:test'
import type { Behaviour, Exchange } from './exchange.ts'
import { buildGateway, type Gateway } from './gateway.ts'
import { type ScriptedBackend, startScriptedBackend } from './scripted-backend.ts'

export interface FleetOptions {
  readonly engine?: 'llama-server' | 'vllm' | 'ollama' | 'openai'
  /** Of each backend. */
  readonly slots?: number
  readonly timeouts?: Record<string, string>
  /** Variables of the gateway. */
  readonly env?: Record<string, string>
  /** What else each backend says. */
  readonly backend?: Record<string, unknown>
  /** Other models than `tinychat`. */
  readonly models?: Record<string, unknown>
  /** What else weir.yaml says. */
  readonly more?: Record<string, unknown>
  /** What else the model says. */
  readonly model?: Record<string, unknown>
}

export interface TestFleet {
  readonly gateway: Gateway
  readonly backends: readonly ScriptedBackend[]
  /** Requests that came to a backend for an answer, probes left out. */
  inferences(backend?: number): readonly Exchange[]
}

/** One backend for each behaviour; they are called `b0`, `b1` … and are all targets of `tinychat`. */
export async function startFleet(
  t: TestContext,
  behaviours: readonly Behaviour[],
  {
    engine = 'llama-server',
    slots = 4,
    timeouts = {},
    env = {},
    backend = {},
    more = {},
    model = {},
    models = {},
  }: FleetOptions = {},
): Promise<TestFleet> {
  const backends = await Promise.all(behaviours.map(behaviour => startScriptedBackend(t, behaviour)))
  const names = backends.map((_, index) => `b${index}`)
  const yaml = JSON.stringify({
    backends: Object.fromEntries(
      backends.map(({ url }, index) => [names[index], { url, engine, slots, timeouts, ...backend }]),
    ),
    models: {
      tinychat: {
        endpoints: ['chat', 'completions', 'embeddings'],
        targets: names.map(backend => ({ backend })),
        ...model,
      },
      ...models,
    },
    ...more,
  })
  const gateway = await buildGateway(t, { yaml, env })
  return {
    gateway,
    backends,
    inferences: backend =>
      (backend === undefined ? backends : backends.filter((_, index) => index === backend)).flatMap(({ exchanges }) =>
        exchanges.filter(({ request }) => request.method === 'POST' && request.path.startsWith('/v1/')),
      ),
  }
}
