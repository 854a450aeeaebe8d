import type { ServerResponse } from 'node:http'
import { Assembler } from '../domain/assemble.ts'
import { choicesOf, hasContent, isObject, type Json } from '../domain/chat-event.ts'
import { formatUsage, parseTimings, parseUsage, type Usage, UsageTally } from '../domain/usage.ts'
import type { AttemptSink } from './attempt.ts'
import type { AttemptHandle } from './backend.ts'
import { type Call, callPath, faultContext, noteEnd, noteSent, type Route } from './call.ts'
import { complete, envelope } from './envelope.ts'
import { Fault, toWeirError } from './fault.ts'
import type { LiveStream } from './stream-answer.ts'
import { StreamRelay } from './stream-relay.ts'

/** A whole answer larger than this is not waited for. */
const maxAnswerBytes = 64 * 1024 * 1024

/** A sink that ends with a value. */
interface Collector {
  /** Takes the next bytes, as AttemptSink does; may throw a Fault, as onEnd may. */
  readonly onData: (chunk: Buffer) => boolean
  /** Whether nothing more is needed. */
  readonly isDone: () => boolean
  readonly onEnd: () => Json
  /** What is known of the usage so far. */
  readonly usage: () => Usage | null
  /** Pieces of output so far; see Dispatch. */
  readonly pieces: () => number
}

/**
 * Gets one whole answer. Resolves with the body for the caller, rejects with a WeirError; null where the caller left.
 */
export function collectAnswer(
  call: Call,
  route: Route,
  raw: ServerResponse,
  live: Set<LiveStream>,
): Promise<Json | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Json | null>()
  const stream = route.engine.alwaysStream && call.operation !== 'embeddings'
  let attempt: AttemptHandle | null = null
  const running: LiveStream = { stop: fault => attempt?.abort(fault) }
  const collector = stream ? eventCollector(call, route, () => attempt?.contentBegan()) : bodyCollector(call)

  live.add(running)
  raw.once('close', () => {
    if (!raw.writableFinished) running.stop(new Fault('client-gone', 'the caller left'))
  })
  let isSettled = false
  const settle = (fault: Fault | null) => {
    isSettled = true
    live.delete(running)
    noteEnd(call, route.engine, { usage: collector.usage(), pieces: collector.pieces(), fault })
  }
  const finish = () => {
    if (isSettled) return
    const answer = collector.onEnd()
    settle(null)
    resolve(withUsage(call, answer))
  }
  const sink: AttemptSink = {
    onSent: () => noteSent(call),
    onData: chunk => {
      const isProgress = collector.onData(chunk)
      if (collector.isDone() && !isSettled) {
        finish()
        // Some servers leave the connection open after [DONE].
        attempt?.answered()
      }
      return isProgress
    },
    onEnd: finish,
    onFault: fault => {
      if (isSettled) return
      settle(fault)
      if (fault.kind === 'client-gone') resolve(null)
      else reject(toWeirError(fault, faultContext(call)))
    },
  }
  const body = call.buildBody(route.target, route.engine, stream)
  attempt = route.backend.attempt(route.engine, { path: callPath(call), body, stream }, sink)
  return promise
}

/** Assembles the answer from the events of its stream. */
function eventCollector(call: Call, route: Route, onContent: () => void): Collector {
  const tally = new UsageTally(route.engine.usagePerChoice, call.choicesPerPrompt)
  const assembler = new Assembler(call.operation === 'chat' ? 'chat' : 'completions')
  const relay = new StreamRelay({
    model: call.askedModel,
    tally,
    includeUsage: false,
    hideCachedTokens: false,
    choices: call.choices,
    look: event => {
      assembler.add(event)
      if (call.record.firstContentAt === null && hasContent(event)) {
        call.record.firstContentAt = performance.now()
        onContent()
      }
      return null
    },
    onFrames: () => {},
  })
  const count = byteBound()
  return {
    onData: chunk => {
      count(chunk)
      return relay.push(chunk)
    },
    isDone: () => relay.isDone,
    onEnd: () => {
      relay.end()
      if (!assembler.isFinished) throw new Fault('incomplete', 'a choice never ended')
      return assembler.result()
    },
    usage: () => tally.total(),
    pieces: () => relay.pieces,
  }
}

/** Takes the answer as the backend gives it, in one piece. */
function bodyCollector(call: Call): Collector {
  const chunks: Buffer[] = []
  const count = byteBound()
  let usage: Usage | null = null
  let pieces = 0
  return {
    onData: chunk => {
      count(chunk)
      chunks.push(chunk)
      return true
    },
    isDone: () => false,
    onEnd: () => {
      const answer = parseAnswer(Buffer.concat(chunks).toString('utf8'))
      const list = call.operation === 'embeddings' ? answer['data'] : choicesOf(answer)
      if (!Array.isArray(list) || list.length === 0) throw new Fault('rubbish', 'the answer holds nothing')
      call.record.firstContentAt = performance.now()
      // Without a stream nobody can say of how many tokens the text is: one for each choice at least.
      pieces = call.operation === 'embeddings' ? 0 : list.length
      usage = parseUsage(answer['usage']) ?? parseTimings(answer['timings'])
      return answer
    },
    usage: () => usage,
    pieces: () => pieces,
  }
}

/** Counts what is kept of one answer; throws a Fault beyond the bound. */
function byteBound(): (chunk: Buffer) => void {
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
function withUsage(call: Call, answer: Json): Json {
  const { timings: _timings, usage: _usage, ...rest } = answer
  const { usage } = call.record
  const shown: Json = { ...rest, model: call.askedModel }
  complete(shown, envelope(call))
  if (usage === null) return shown
  if (call.operation === 'embeddings') {
    return { ...shown, usage: { prompt_tokens: usage.inputTokens, total_tokens: usage.inputTokens } }
  }
  return { ...shown, usage: formatUsage(usage, call.model.promptCache === 'account') }
}
