/** Answers of models with a cache: one that was given before, or one that several who ask the same wait for together. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { AnswerUse } from '../../plugins/cache.ts'
import { costTold } from '../../plugins/usage.ts'
import type { Call } from '../../src/backend/call.ts'
import { ClientStream } from '../../src/backend/client-stream.ts'
import type { StreamReply } from '../../src/backend/stream-answer.ts'
import type { StoredAnswer } from '../../src/cache/entry.ts'
import type { WholeAnswer } from '../../src/cache/member.ts'
import { replayStream, replayWhole } from '../../src/cache/replay.ts'
import type { LookedUp } from '../../src/cache/semantic-cache.ts'
import type { Json } from '../../src/domain/chat-event.ts'

export interface CachedCall {
  readonly use: AnswerUse
  readonly call: Call
  readonly reply: FastifyReply
}

/** The body; null where the caller left. Rejects with a WeirError. */
export async function collectCached(app: FastifyInstance, asked: CachedCall): Promise<Json | string | null> {
  const { call, reply } = asked
  const { hit, ...missed } = await lookFor(app, asked)
  if (reply.raw.destroyed) return null
  if (hit !== null) {
    noteHit(app, asked, hit)
    return replayWhole(call, hit.answer)
  }
  await app.backends.ready(call)
  if (reply.raw.destroyed) return null
  for (;;) {
    const { flight, isNew } = board(app, asked, missed)
    const member = flight.joinWhole(call, reply.raw)
    if (isNew) flight.start()
    try {
      const outcome = await member.outcome
      if (outcome === null) return null
      if (outcome !== 'again') return outcome.body
    } finally {
      reply.headers(app.backends.routingHeaders(reply.request, call))
    }
  }
}

/** Settled when the stream is over. Rejects with a WeirError while an ordinary error can still be sent. */
export async function streamCached(app: FastifyInstance, asked: CachedCall): Promise<void> {
  const { call, reply } = asked
  const { hit, ...missed } = await lookFor(app, asked)
  if (reply.raw.destroyed) return void reply.hijack()
  if (hit !== null) {
    noteHit(app, asked, hit)
    const frames = replayStream(call, hit.answer, costTold(reply.request))
    return await app.backends.deliver(call, reply, to => writeWhole(to, frames))
  }
  await app.backends.ready(call)
  if (reply.raw.destroyed) return void reply.hijack()
  // Whether it is the first or joins others is said in a header, and so known before there is a stream.
  let boarded: ReturnType<typeof board> | null = board(app, asked, missed)
  await app.backends.deliver(call, reply, async to => {
    for (;;) {
      const { flight, isNew } = boarded ?? board(app, asked, missed)
      boarded = null
      const member = flight.joinStream(call, to)
      if (isNew) flight.start()
      if ((await member.outcome) !== 'again') return
    }
  })
}

/** An answer that is there: to the same question, or to one that means the same. */
interface Hit {
  readonly answer: StoredAnswer
  readonly key: string
  /** Null where it is the same question. */
  readonly similarity: number | null
}

/** What is known where there is none. */
interface Missed {
  readonly moment: string | null
  /** By which the answer is found by its meaning later; null where it is not to be. */
  readonly lookedUp: LookedUp | null
}

async function lookFor(
  app: FastifyInstance,
  { use, call, reply }: CachedCall,
): Promise<Missed & { readonly hit: Hit | null }> {
  const { found, moment } = await use.lookup
  const { key, belonging, caching, maxAgeMs } = use
  if (found !== null) return { hit: { answer: found, key, similarity: null }, moment, lookedUp: null }
  const question = maxAgeMs === null ? null : app.questionOf(reply.request, call, caching)
  const lookedUp = question === null ? null : app.semantic.begin(question)
  if (lookedUp === null) return { hit: null, moment, lookedUp }
  const near = await app.semantic.find(lookedUp, async entryKey => {
    const near = await app.cache.find({ key: entryKey, belonging, caching, maxAgeMs: caching.ttlMs })
    // Nobody can say whether it is kept, or it is too old for this caller alone.
    if (near.moment === null || isOlder(near.found, maxAgeMs)) return undefined
    return near.found
  })
  const hit = near === null ? null : { answer: near.stored, key: near.entryKey, similarity: near.similarity }
  return { hit, moment, lookedUp }
}

const isOlder = (answer: StoredAnswer | null, maxAgeMs: number | null): boolean =>
  answer !== null && maxAgeMs !== null && answer.atMs < Date.now() - maxAgeMs

/** A call of its own, or one that is under way. A new one's answer is kept when it is whole. */
function board(app: FastifyInstance, { use, call, reply }: CachedCall, { moment, lookedUp }: Missed) {
  const { key, belonging, caching, maxAgeMs } = use
  const boarded = app.flights.board({
    // Who does not want what was kept does not want what was begun before it came either.
    key: maxAgeMs === null ? null : `${key}/${moment ?? ''}`,
    leader: call,
    priceShare: caching.priceShare,
    run: (made, receiver) => app.backends.run(reply.request, made, receiver),
  })
  const { flight, isNew } = boarded
  const keep = async (whole: WholeAnswer) => {
    const isKept = moment !== null && (await app.cache.keep({ key, belonging, moment, caching }, call, whole))
    if (isKept && lookedUp !== null) await app.semantic.keep(lookedUp, key, caching)
  }
  if (isNew && moment !== null) {
    flight.landed.then(whole => {
      if (whole !== null) void keep(whole)
    })
  }
  if (maxAgeMs !== null) {
    app.meters.cache.answered(call.model.id, isNew ? 'miss' : 'joined')
    reply.header('x-weir-cache', isNew ? 'miss' : 'hit')
    // Who has waited for somebody else and asks by itself now had one.
    if (isNew) reply.removeHeader('age')
    else reply.header('age', '0')
  }
  reply.header('x-weir-cache-key', key)
  return boarded
}

function noteHit(app: FastifyInstance, { use, call, reply }: CachedCall, { answer, key, similarity }: Hit): void {
  const { record, model } = call
  const { atMs, usage } = answer
  record.reused = { usage, priceShare: use.caching.priceShare }
  record.firstContentAt = performance.now()
  const result = similarity === null ? 'hit' : 'semantic'
  app.meters.cache.answered(model.id, result)
  const age = String(Math.max(0, Math.floor((Date.now() - atMs) / 1000)))
  reply.headers({ 'x-weir-cache': result, age, 'x-weir-cache-key': key })
  if (similarity !== null) reply.header('x-weir-cache-similarity', similarity.toFixed(4))
}

/** All that there is to say, at once. */
function writeWhole({ raw, headers, times, onCommit }: StreamReply, frames: Buffer): Promise<void> {
  const client = new ClientStream(raw, headers, times, {
    onCommit,
    onPressure: () => undefined,
    onStall: () => raw.destroy(),
  })
  client.write(frames)
  client.end()
  return Promise.resolve()
}
