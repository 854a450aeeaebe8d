import type { Engine } from './engine.ts'
import type { Exchange } from './exchange.ts'

const startedAt = Math.floor(Date.now() / 1000)

/** `GET /v1/models` */
export function listModels(engine: Engine, exchange: Exchange): void {
  const { modelName: name, contextLength } = engine.settings
  const info = engine.context.getModelInfo()
  const meta = {
    n_vocab: engine.vocabularySize,
    n_ctx: contextLength,
    n_embd: info.nEmbd,
    n_params: info.nParams,
    size: info.size,
  }
  const model = { id: name, aliases: [name], object: 'model', created: startedAt, owned_by: 'llamacpp', meta }
  const tag = { name, model: name, type: 'model', capabilities: ['completion', 'embedding'] }
  exchange.sendJson({ models: [tag], object: 'list', data: [model] })
}

/** `GET /props`: what a gateway tells a llama-server by, `total_slots` above all. */
export function describeServer(engine: Engine, exchange: Exchange): void {
  const { modelName, modelPath, contextLength } = engine.settings
  exchange.sendJson({
    default_generation_settings: { n_ctx: contextLength },
    total_slots: engine.slots.total,
    model_alias: modelName,
    model_path: modelPath,
    modalities: { vision: false, video: false, audio: false },
    endpoint_slots: true,
    endpoint_props: false,
    endpoint_metrics: false,
    chat_template: engine.context.getModelInfo().metadata['tokenizer.chat_template'] ?? '',
    build_info: engine.fingerprint,
    is_sleeping: false,
  })
}

/** `GET /slots`: how many are busy; the binding does not say which one serves whom. */
export function listSlots(engine: Engine, exchange: Exchange): void {
  const { total, busy } = engine.slots
  const slots = Array.from({ length: total }, (_, id) => ({
    id,
    n_ctx: engine.settings.contextLength,
    speculative: false,
    is_processing: id < busy,
  }))
  exchange.sendJson(slots)
}

/** `POST /tokenize`: the token ids of `content`. */
export async function tokenize(engine: Engine, exchange: Exchange): Promise<void> {
  const body = await exchange.readBody()
  const { tokens } = await engine.context.tokenize(body.strings('content').join(''))
  exchange.sendJson({ tokens: [...tokens] })
}
