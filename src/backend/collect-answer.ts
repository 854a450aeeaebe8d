import type { ServerResponse } from 'node:http'
import { Assembler } from '../domain/assemble.ts'
import { choicesOf, hasContent, isObject, type Json } from '../domain/chat-event.ts'
import { formatUsage, parseTimings, parseUsage, type Usage, UsageTally } from '../domain/usage.ts'
import { type Call, faultContext, type Route } from './call.ts'
import { Dispatch } from './dispatch.ts'
import type { Engine } from './engine.ts'
import { complete, envelope } from './envelope.ts'
import { Failover } from './failover.ts'
import { Fault, toWeirError } from './fault.ts'
import type { Fleet } from './fleet.ts'
import type { Reception } from './reception.ts'
import type { LiveCall } from './stream-answer.ts'
import { StreamRelay } from './stream-relay.ts'

/** A whole answer larger than this is not waited for. */
const maxAnswerBytes = 64 * 1024 * 1024

/** A reception that ends with a value. */
export interface Collector extends Reception {
  /** The answer, once it is whole. */
  readonly answer: Json
}

/**
 * Gets one whole answer. Resolves with the body for the caller, rejects with a WeirError; null where the caller left.
 */
export function collectAnswer(
  call: Call,
  fleet: Fleet,
  raw: ServerResponse,
  live: Set<LiveCall>,
): Promise<Json | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Collector | null>()
  let collector: Collector | null = null
  const receiver = {
    relays: false,
    wantsStream: (engine: Engine) => collectsEvents(call, engine),
    begin: (route: Route) => {
      collector = collect(call, route)
      return collector
    },
    end: (fault: Fault | null) => {
      live.delete(dispatch)
      if (fault === null && collector !== null) resolve(collector)
      else if (fault === null || fault.kind === 'client-gone') resolve(null)
      else {
        // Of what the backend had begun its caller is given nothing but the error.
        call.record.firstContentAt = null
        reject(toWeirError(fault, faultContext(call)))
      }
    },
  }
  const dispatch: Dispatch = new Dispatch(call, fleet, receiver, new Failover(call, fleet))
  live.add(dispatch)
  raw.once('close', () => {
    if (!raw.writableFinished) dispatch.stop(new Fault('client-gone', 'the caller left'))
  })
  dispatch.start()
  // Not within the end of the call, whose attempt would take a mistake in it for one of the backend's, and nobody would answer.
  return promise.then(whole => (whole === null ? null : answerFor(call, whole.answer, call.record.usage)))
}

/** Whether an engine of this kind is asked for a stream, though the answer is to be one piece. */
export const collectsEvents = ({ operation }: Call, { alwaysStream }: Engine): boolean =>
  alwaysStream && operation !== 'embeddings'

/** Takes one attempt's answer that is to be one piece. */
export const collect = (call: Call, route: Route): Collector =>
  collectsEvents(call, route.engine) ? collectEvents(call, route) : collectBody(call)

/** Assembles the answer from the events of its stream. */
function collectEvents(call: Call, { engine }: Route): Collector {
  const tally = new UsageTally(engine.usagePerChoice, call.choicesPerPrompt)
  const assembler = new Assembler(call.operation === 'chat' ? 'chat' : 'completions')
  let began = false
  const relay = new StreamRelay({
    model: call.askedModel,
    tally,
    includeUsage: false,
    hideCachedTokens: false,
    choices: call.choices,
    look: event => {
      assembler.add(event)
      began ||= hasContent(event)
      return null
    },
    onFrames: () => {},
  })
  const count = byteBound()
  const finish = () => {
    relay.end()
    if (!assembler.isFinished) throw new Fault('incomplete', 'a choice never ended')
  }
  return {
    onData: chunk => {
      count(chunk)
      const isProgress = relay.push(chunk)
      if (relay.isDone) finish()
      return isProgress
    },
    onEnd: finish,
    get answer() {
      return assembler.result()
    },
    get isDone() {
      return relay.isDone
    },
    get hasContent() {
      return began
    },
    get usage() {
      return tally.total()
    },
    get pieces() {
      return relay.pieces
    },
  }
}

/** Takes the answer as the backend gives it, in one piece. */
function collectBody(call: Call): Collector {
  const chunks: Buffer[] = []
  const count = byteBound()
  let found: { readonly answer: Json; readonly choices: number } | null = null
  return {
    isDone: false,
    onData: chunk => {
      count(chunk)
      chunks.push(chunk)
      return true
    },
    onEnd: () => {
      const answer = parseAnswer(Buffer.concat(chunks).toString('utf8'))
      const list = call.operation === 'embeddings' ? answer['data'] : choicesOf(answer)
      if (!Array.isArray(list) || list.length === 0) throw new Fault('rubbish', 'the answer holds nothing')
      found = { answer, choices: list.length }
    },
    get answer() {
      return found?.answer ?? {}
    },
    get hasContent() {
      return found !== null
    },
    get usage() {
      return found === null ? null : (parseUsage(found.answer['usage']) ?? parseTimings(found.answer['timings']))
    },
    get pieces() {
      // Without a stream nobody can say of how many tokens the text is: one for each choice at least.
      return found === null || call.operation === 'embeddings' ? 0 : found.choices
    },
  }
}

/** Counts what is kept of one answer; throws a Fault beyond the bound. */
export function byteBound(): (chunk: Buffer) => void {
  let bytes = 0
  return chunk => {
    bytes += chunk.length
    if (bytes > maxAnswerBytes) throw new Fault('rubbish', `the answer is larger than ${maxAnswerBytes} bytes`)
  }
}

function parseAnswer(text: string): Json {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    throw new Fault('rubbish', 'the answer is not JSON')
  }
  if (!isObject(answer)) throw new Fault('rubbish', 'the answer is not an object')
  if (answer['error'] !== undefined && answer['error'] !== null) {
    throw new Fault('failed', 'the backend answered 200 with an error')
  }
  return answer
}

/** The answer as the caller gets it: the public name, usage as counted, no engine-only fields. */
export function answerFor(call: Call, answer: Json, usage: Usage | null): Json {
  const { timings: _timings, usage: _usage, ...rest } = answer
  const shown: Json = { ...rest, model: call.askedModel }
  complete(shown, envelope(call))
  if (usage === null) return shown
  if (call.operation === 'embeddings') {
    return { ...shown, usage: { prompt_tokens: usage.inputTokens, total_tokens: usage.inputTokens } }
  }
  return { ...shown, usage: formatUsage(usage, call.model.promptCache === 'account') }
}
