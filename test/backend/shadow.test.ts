import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admission } from '../../src/backend/admission.ts'
import { Backend } from '../../src/backend/backend.ts'
import { type Call, type CallRecord, newRecord } from '../../src/backend/call.ts'
import { Fleets } from '../../src/backend/fleet.ts'
import { Shadows } from '../../src/backend/shadow.ts'
import type { Model } from '../../src/domain/catalog.ts'
import type { EndpointName } from '../../src/schemas/config/models.ts'
import { onEnd } from '../support/cleanup.ts'

const model: Model = {
  id: 'tinychat',
  aliases: [],
  created: 0,
  ownedBy: 'weir',
  contextLength: null,
  maxOutputTokens: 100,
  promptCache: 'shared',
  imageTokens: 1024,
  prices: [],
  targets: [{ backend: 'main', model: 'tinychat', weight: 1, endpoints: new Set<EndpointName>(['chat']) }],
  fallback: null,
}
const config = {
  url: 'http://127.0.0.1:9',
  engine: 'vllm',
  slots: 1,
  discover: false,
  drain: false,
  timeouts: { connectMs: 1000, firstTokenMs: 1000, idleMs: 1000, totalMs: 1000 },
  breaker: { window: 10, least: 5, failurePercent: 50, pauseMs: 1000, maxPauseMs: 30_000 },
} as const

test('a copy whose body cannot be made is a failed one, and gives its slot back', async t => {
  const backend = new Backend('main', config, {
    onGate: () => undefined,
    onLetsIn: () => undefined,
    onKnown: () => undefined,
    onTurnsAway: () => undefined,
  })
  onEnd(t, () => backend.close())
  const noEvents = {
    onJoined: () => undefined,
    onLeft: () => undefined,
    onAdmitted: () => undefined,
    onRefused: () => undefined,
  }
  const admission = new Admission({ maxWaiting: 1, events: noEvents })
  const fleet = new Fleets({ admission, maxAttempts: 1 }).of(new Map([['main', backend]]))
  const mistakes: unknown[] = []
  const shadows = new Shadows({ admission, servesCallers: () => false, onMistake: error => mistakes.push(error) })
  const mistake = new Error('no body')
  const call: Call = {
    operation: 'chat',
    model,
    fallbacks: [],
    askedModel: 'tinychat',
    choices: 1,
    choicesPerPrompt: 1,
    stream: true,
    includeUsage: false,
    caller: { account: 'a', tier: 'free', priority: 0, queueWaitMs: 0, deadlineMs: Number.POSITIVE_INFINITY },
    arm: null,
    trace: null,
    prefixKey: () => null,
    asks: () => ({ fields: { values: new Map(), bytes: Buffer.alloc(0), places: [] }, outputBound: 0 }),
    buildBody: () => {
      throw mistake
    },
    record: newRecord(),
  }
  const record = await new Promise<CallRecord | null>(onOver => shadows.send({ call, model, fleet, onOver }))
  assert.equal(record?.fault?.kind, 'failed')
  assert.deepEqual(mistakes, [mistake])
  assert.equal(admission.inFlight(backend.id), 0)
  assert.equal(call.record.attempts, 0, 'the caller’s own record is another one')
})
