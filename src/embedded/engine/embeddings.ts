import type { Engine } from './engine.ts'
import type { Exchange } from './exchange.ts'
import type { RequestBody } from './request-body.ts'
import { readTextInputs } from './text-input.ts'
import { badRequest } from './wire-error.ts'

/** `POST /v1/embeddings`: mean-pooled vectors as floats or as base64 of little-endian float32. */
export async function embed(engine: Engine, exchange: Exchange): Promise<void> {
  const body = await exchange.readBody()
  const encode = parseEncoding(body)
  const texts = await readTextInputs(engine, body, 'input')
  const embeddings = await Promise.all(texts.map(text => engine.embeddings.embed(text, exchange.signal)))
  const tokens = embeddings.reduce((total, embedding) => total + embedding.tokens, 0)
  exchange.sendJson({
    model: engine.settings.modelName,
    object: 'list',
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    data: embeddings.map(({ vector }, index) => ({ embedding: encode(vector), index, object: 'embedding' })),
  })
}

function parseEncoding(body: RequestBody): (vector: Float32Array) => string | number[] {
  switch (body.unknown('encoding_format')) {
    case undefined:
    case 'float':
      return vector => [...vector]
    case 'base64':
      return toBase64
    default:
      throw badRequest("'encoding_format' must be 'float' or 'base64'")
  }
}

function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}
