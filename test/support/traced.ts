/** A gateway whose traces a test reads. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { eventually } from './eventually.ts'
import type { Behaviour } from './exchange.ts'
import { type FleetOptions, startFleet, type TestFleet } from './fleet.ts'
import { adminKey } from './gateway.ts'
import { hello } from './inference.ts'
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from './otlp-receiver.ts'

export interface World extends TestFleet {
  readonly collector: OtlpReceiver
  send(body: object, headers?: Record<string, string>): Promise<{ status: number; text: string }>
}

export async function startTraced(
  t: TestContext,
  behaviours: readonly Behaviour[],
  env: Record<string, string> = {},
  options: FleetOptions = {},
): Promise<World> {
  const collector = await startOtlpReceiver(t)
  const fleet = await startFleet(t, behaviours, {
    ...options,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '20', ...env },
    more: { tiers: { narrow: { limits: { requestsPerMinute: 1 } } } },
  })
  const send = async (body: object, headers: Record<string, string> = {}) => {
    const response = await fleet.gateway.fetch(`${fleet.gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${adminKey}`, ...headers },
      body: JSON.stringify(body),
    })
    return { status: response.status, text: await response.text() }
  }
  return { ...fleet, collector, send }
}

export const question = { model: 'tinychat', messages: hello }
export const parent = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
export const traceparent = `00-${parent.traceId}-${parent.spanId}-01`

export const named = (spans: readonly ReceivedSpan[], name: string) => spans.filter(span => span.name === name)
export const only = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => {
  const [span, ...others] = named(spans, name)
  assert.ok(span, `no span '${name}' among ${spans.map(each => each.name).join(', ')}`)
  assert.equal(others.length, 0, name)
  return span
}
export const serverOf = (spans: readonly ReceivedSpan[]) => only(spans, 'POST /v1/chat/completions')

/** Every child lies within its parent, but for the settlement, which follows the answer. */
export function assertTree(spans: readonly ReceivedSpan[]): void {
  const root = serverOf(spans)
  for (const span of spans) {
    assert.ok(span.startNs <= span.endNs, span.name)
    if (span === root) continue
    const above = spans.find(({ spanId }) => spanId === span.parentSpanId)
    assert.ok(above, `${span.name} hangs on a span of its trace`)
    assert.equal(above.name, span.name === 'first token' ? 'chat tinychat' : root.name)
    assert.ok(span.startNs >= above.startNs, `${span.name} begins before ${above.name}`)
    if (span.name === 'settle') assert.ok(span.startNs >= root.startNs)
    else assert.ok(span.endNs <= above.endNs, `${span.name} ends after ${above.name}`)
  }
}

export const spansWhen = async (what: string, find: () => readonly ReceivedSpan[] | undefined) =>
  (await eventually(what, find)) ?? []

export function traceLine({ gateway }: World, traceId: string) {
  return eventually('its line', () => gateway.logLines.find(line => line['traceId'] === traceId))
}
