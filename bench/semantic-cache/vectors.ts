import { request } from 'undici'

/** From a text to its vector of length 1. */
export type Vectors = ReadonlyMap<string, Float32Array>

export interface EmbeddingServer {
  readonly url: string
  readonly model: string
  readonly key?: string | undefined
}

const batch = 64

/** Asks an OpenAI-compatible server for the vectors of all texts. */
export async function fetchVectors(texts: readonly string[], server: EmbeddingServer): Promise<Vectors> {
  const vectors = new Map<string, Float32Array>()
  for (let at = 0; at < texts.length; at += batch) {
    const input = texts.slice(at, at + batch)
    const found = await ask(input, server)
    for (const [index, vector] of found.entries()) vectors.set(input[index] ?? '', normalize(vector))
  }
  return vectors
}

async function ask(input: readonly string[], { url, model, key }: EmbeddingServer): Promise<readonly number[][]> {
  const { body } = await request(new URL('/v1/embeddings', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ model, input }),
  })
  const text = await body.text()
  const { data }: { readonly data?: readonly { readonly embedding: number[] }[] } = JSON.parse(text)
  if (data?.length !== input.length) throw new Error(`the server gave no embeddings: ${text.slice(0, 300)}`)
  return data.map(({ embedding }) => embedding)
}

function normalize(vector: readonly number[]): Float32Array {
  const length = Math.hypot(...vector)
  return Float32Array.from(vector, value => value / length)
}
