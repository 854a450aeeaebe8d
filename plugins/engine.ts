import fp from 'fastify-plugin'
import type { BackendConfig } from '../src/backend/backend.ts'
import type { Config } from '../src/config.ts'
import { defaultImageTokens, type Model } from '../src/domain/catalog.ts'
import { type EngineProcess, startEngine } from '../src/embedded/engine-process.ts'

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

export default fp<EngineOptions>(
  async (app, { config }) => {
    if (Object.keys(config.backends).length > 0) {
      app.decorate('engine', null)
      return
    }
    const { model: modelPath, slots, contextLength } = config.engine
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
      prices: [],
      targets: [
        {
          backend: backendName,
          model: engine.modelName,
          weight: 1,
          endpoints: new Set(['chat', 'completions', 'embeddings']),
        },
      ],
    }
    const backend = await engine.url.then(
      (url): BackendConfig => ({ url, engine: 'llama-server', slots, discover: false, timeouts }),
      // It says itself why; Weir runs all the same and answers with the remedy.
      () => null,
    )
    app.decorate('engine', { process: engine, backendName, backend, model })
  },
  { name: 'engine' },
)
