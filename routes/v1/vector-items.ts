import { type Call, faultContext } from '../../src/backend/call.ts'
import { Fault, toWeirError } from '../../src/backend/fault.ts'
import { isObject, type Json } from '../../src/domain/chat-event.ts'
import { convertVector, type EncodingFormat } from '../../src/domain/embedding.ts'
import { WeirError } from '../../src/errors.ts'

export interface VectorItem extends Json {
  readonly embedding: string | number[]
}

export interface WantedVectors {
  readonly count: number
  readonly format: EncodingFormat
  /** Undefined where the model's own are wanted. */
  readonly dimensions: number | undefined
}

/**
 * One vector for each input, as it was asked for: an SDK that gets the other encoding makes wrong vectors of it without a
 * word. Throws a WeirError where the backend gave something else.
 */
export function vectorItems(call: Call, body: Json, { count, format, dimensions }: WantedVectors): VectorItem[] {
  const items = readItems(body, count, format)
  if (items === null) {
    const fault = new Fault('rubbish', 'the answer does not hold one vector for each input')
    throw toWeirError(fault, faultContext(call))
  }
  checkDimensions(items, dimensions)
  return items
}

function readItems({ data }: Json, count: number, format: EncodingFormat): VectorItem[] | null {
  if (!Array.isArray(data) || data.length !== count) return null
  const items: VectorItem[] = []
  for (const [index, item] of data.entries()) {
    if (!isObject(item)) return null
    const vector = convertVector(item['embedding'], format)
    if (vector === undefined) return null
    const { encoding_format: _format, ...rest } = item
    items.push({ ...rest, object: 'embedding', index: item['index'] ?? index, embedding: vector })
  }
  return items
}

/** Engines that cannot shorten a vector give the whole one without a word: that is not what was asked for. */
function checkDimensions(items: readonly VectorItem[], dimensions: number | undefined): void {
  const [first] = items
  if (first === undefined || dimensions === undefined) return
  const { embedding } = first
  const length = typeof embedding === 'string' ? Buffer.byteLength(embedding, 'base64') / 4 : embedding.length
  if (length === dimensions) return
  const message = `This model gives vectors of ${length} dimensions and cannot give others: leave 'dimensions' out.`
  throw new WeirError('invalidRequest', message, { param: 'dimensions' })
}
