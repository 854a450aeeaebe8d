import { setTimeout as delay } from 'node:timers/promises'
import fp from 'fastify-plugin'
import type { BackendConfig } from '../src/backend/backend.ts'
import type { Call } from '../src/backend/call.ts'
import type { Step } from '../src/config/live-config.ts'
import { ConfigError, problemIn } from '../src/config/problem.ts'
import type { Config } from '../src/config.ts'
import { cachingOf } from '../src/domain/cache-policy.ts'
import { defaultImageTokens, type Model } from '../src/domain/catalog.ts'
import { parsePrice } from '../src/domain/price.ts'
import { type EngineProcess, startEngine } from '../src/embedded/engine-process.ts'
import { WeirError } from '../src/errors.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The llama.cpp engine that runs where no backend is configured; null where one is. */
    engine: EmbeddedEngine | null
  }
}

export interface EmbeddedEngine {
  readonly process: EngineProcess
  /** Under which name the backends plugin finds it. */
  readonly backendName: string
  /** Null where it cannot run; `process.available()` says why. */
  readonly backend: BackendConfig | null
  readonly model: Model
}

export interface EngineOptions {
  readonly config: Pick<Config, 'engine' | 'backends'>
}

const backendName = 'embedded'

/** A local child answers at once or not at all; a small model on a slow machine may still take its time. */
const timeouts = { connectMs: 2000, firstTokenMs: 120_000, idleMs: 60_000, totalMs: 1_800_000 }
const free = { from: '1970-01-01', input: '0', output: '0' }
const breaker = { window: 10, least: 5, failurePercent: 50, pauseMs: 1000, maxPauseMs: 30_000 }

export default fp<EngineOptions>(
  async (app, { config }) => {
    // Whether it runs is decided at the start.
    app.configuration.onReload(next => followBackends(app.engine, next))
    if (Object.keys(config.backends).length > 0) {
      app.decorate('engine', null)
      return
    }
    const { model: modelPath, slots, contextLength, cache } = config.engine
    const engine = startEngine({
      ...(modelPath === undefined ? {} : { modelPath }),
      slots,
      contextLength,
      log: app.log,
    })
    app.addHook('onClose', () => engine.stop())
    const model: Model = {
      id: engine.modelName,
      aliases: [],
      created: Math.floor(Date.now() / 1000),
      ownedBy: 'weir',
      contextLength,
      maxOutputTokens: contextLength,
      promptCache: 'shared',
      imageTokens: defaultImageTokens,
      // The model that comes with Weir is free, which is said; what another one costs nobody has said.
      prices: modelPath === undefined ? [parsePrice(engine.modelName, free)] : [],
      targets: [
        {
          backend: backendName,
          model: engine.modelName,
          weight: 1,
          endpoints: new Set(['chat', 'completions', 'embeddings']),
        },
      ],
      fallback: null,
      // Another file is another model, whatever it calls itself.
      ...cachingOf(cache, modelPath ?? ''),
    }
    const backend = await engine.url.then(
      (url): BackendConfig => ({
        url,
        engine: 'llama-server',
        slots,
        discover: false,
        drain: false,
        timeouts,
        breaker,
      }),
      // It says itself why; Weir runs all the same and answers with the remedy.
      () => null,
    )
    app.decorate('engine', { process: engine, backendName, backend, model })
  },
  { name: 'engine', dependencies: ['configuration'] },
)

/** It neither begins nor ends as the process runs: beside it, backends can come and go. */
function followBackends(engine: EmbeddedEngine | null, { backends }: Config): Step {
  if (engine !== null && Object.hasOwn(backends, engine.backendName)) {
    const complaint = {
      problem: `The engine that runs here by itself is called "${engine.backendName}" as well.`,
      fix: 'Choose another name for the backend, or restart: the engine does not run then.',
    }
    throw new ConfigError([problemIn('weir.yaml', ['backends', engine.backendName], complaint)])
  }
  const isAsStarted = (engine === null) === Object.keys(backends).length > 0
  return { needsRestart: isAsStarted ? [] : ['engine'] }
}

/** How long a call waits for the first start: a small model is there before anybody could try again. */
const enginePatienceMs = 1000
const leastRetryMs = 500

/**
 * Throws what to do about it where only the embedded engine serves the model and does not run. Its own reasons name paths:
 * those are for the log.
 */
export async function waitForEngine(
  engine: EmbeddedEngine | null,
  { model: { targets }, askedModel: model }: Call,
): Promise<void> {
  if (engine === null || targets.some(({ backend }) => backend !== engine.backendName)) return
  if (engine.process.available().kind === 'starting') {
    const ready = engine.process.ready.catch(() => undefined)
    await Promise.race([ready, delay(enginePatienceMs, null, { ref: false })])
  }
  const state = engine.process.available()
  switch (state.kind) {
    case 'unavailable': {
      const why = `Model '${model}' cannot run here: there is no llama.cpp package for this platform.`
      const remedy = 'Install the optional dependencies, or configure a backend (WEIR_BACKEND_URL).'
      throw new WeirError('overloaded', `${why} ${remedy}`, { shouldRetry: false })
    }
    case 'failed': {
      const message = `Model '${model}' could not be loaded: see the server's log, or start with another --model.`
      throw new WeirError('overloaded', message, { shouldRetry: false })
    }
    case 'starting':
    case 'restarting': {
      const retryAfterMs = Math.max(state.kind === 'restarting' ? state.retryInMs : 0, leastRetryMs)
      throw new WeirError('overloaded', `Model '${model}' is starting. Try again shortly.`, { retryAfterMs })
    }
    case 'ready':
    case 'stopped':
  }
}
