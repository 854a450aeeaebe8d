import type { TestContext } from 'node:test'
import { boundedFetch } from './bounded-fetch.ts'
import { onEnd } from './cleanup.ts'
import type { Answered, Contract } from './contract.ts'

/**
 * A fetch that holds every answer to the OpenAPI document. What breaks it fails the call at once, and the test at its end
 * even where the call's failure was expected: an SDK wraps what its fetch throws.
 */
export function buildValidatedFetch(t: TestContext, getContract: () => Contract): typeof fetch {
  const violations: Error[] = []
  onEnd(t, () => {
    if (violations.length > 0) throw new AggregateError(violations, violations[0]?.message)
  })
  return async (input, init) => {
    const response = await boundedFetch(input, init)
    const request = input instanceof Request ? input : undefined
    const answered: Answered = {
      method: (init?.method ?? request?.method ?? 'GET').toUpperCase(),
      path: new URL(request?.url ?? String(input)).pathname,
      status: response.status,
      header: name => response.headers.get(name),
    }
    const demand = (fault: string | null) => {
      if (fault === null) return
      const error = new Error(`${answered.method} ${answered.path} → ${answered.status} breaks its contract: ${fault}`)
      violations.push(error)
      throw error
    }
    const contract = getContract()
    demand(contract.checkHead(answered))
    if (!isDescribed(answered) || response.body === null) return response
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
      demand(contract.checkBody(answered, await response.clone().text()))
      return response
    }
    return new Response(response.body.pipeThrough(checkEvents(contract, answered, demand)), response)
  }
}

/** Pages are not described, and an answer to HEAD has nothing to describe. */
const isDescribed = ({ method, path }: Answered) => method !== 'HEAD' && !path.startsWith('/docs')

/** Passes the bytes on once the events that end in them have been looked at. */
function checkEvents(contract: Contract, answered: Answered, demand: (fault: string | null) => void): TransformStream {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let held = ''
  let last = ''
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(bytes, controller) {
      held += decoder.decode(bytes, { stream: true })
      const frames = held.split('\n\n')
      held = frames.pop() ?? ''
      for (const frame of frames) {
        if (frame.startsWith(':')) continue
        demand(/^data: [^\n]+$/.test(frame) ? null : `not an event of one data line: ${JSON.stringify(frame)}`)
        demand(last === '[DONE]' || last.startsWith('{"error"') ? `more follows the last event: ${frame}` : null)
        last = frame.slice('data: '.length)
        demand(contract.checkEvent(answered, last))
      }
      controller.enqueue(bytes)
    },
    flush() {
      demand(held === '' ? null : `the stream ends inside an event: ${JSON.stringify(held)}`)
      demand(
        last === '[DONE]' || last.startsWith('{"error"') ? null : 'the stream ends without [DONE] and without an error',
      )
    },
  })
}
