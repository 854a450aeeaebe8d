/** A gateway that tells what became of its calls to backends. */
import type { TestContext } from 'node:test'
import type { Call, CallRecord } from '../../src/backend/call.ts'
import { buildGateway, type Gateway } from './gateway.ts'
import { type OneBackend, oneBackendYaml, requestLine } from './inference.ts'

export interface CalledGateway extends Gateway {
  /** The calls so far, as routes have built them. */
  readonly calls: readonly Call[]
  /** What the `nth` inference request (from 1) has become, once it is over. */
  recordOf(nth: number): Promise<CallRecord>
}

/** As gatewayBefore, with a look at the calls. No backend configured: the embedded engine. */
export async function calledGateway(
  t: TestContext,
  { url }: { readonly url?: string } = {},
  options: OneBackend = {},
): Promise<CalledGateway> {
  const calls: Call[] = []
  const gateway = await buildGateway(t, {
    ...(url === undefined ? {} : { yaml: oneBackendYaml(url, options) }),
    prepare: ({ backends }) => {
      const { stream, collect } = backends
      backends.stream = (call, reply) => {
        calls.push(call)
        return stream(call, reply)
      }
      backends.collect = (call, reply) => {
        calls.push(call)
        return collect(call, reply)
      }
    },
  })
  const recordOf = async (nth: number) => {
    await requestLine(gateway, nth)
    const call = calls[nth - 1]
    if (call === undefined) throw new Error(`there was no call ${nth}`)
    return call.record
  }
  return { ...gateway, calls, recordOf }
}
