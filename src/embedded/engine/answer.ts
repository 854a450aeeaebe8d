import { randomBytes } from 'node:crypto'
import type { Engine } from './engine.ts'
import type { Exchange } from './exchange.ts'
import { type GenerationRequest, generate, type Outcome, type Piece } from './generation.ts'
import type { TokenLogprob } from './token-logprob.ts'
import { type ChoiceMeter, sumTimings, toUsage } from './usage-meter.ts'

/** One of the answers to a request: a prompt's n-th choice. */
export interface Choice {
  readonly request: GenerationRequest
  readonly meter: ChoiceMeter
}

/** How a whole choice reads when it is done. */
export interface FinishedChoice {
  readonly text: string
  readonly logprobs: readonly TokenLogprob[]
  readonly outcome: Outcome
}

/** How an endpoint words its answer. */
export interface AnswerShape {
  readonly object: string
  readonly chunkObject: string
  /** The choice objects that open a choice's stream. */
  openStream(index: number): readonly object[]
  /** The choice objects for what a token adds; none when it shows nothing. */
  continueStream(index: number, piece: Piece): readonly object[]
  endStream(index: number, outcome: Outcome): object
  whole(index: number, choice: FinishedChoice): object
}

export interface AnswerOptions {
  readonly isStream: boolean
  /** A last chunk with the usage and no choices. */
  readonly includeUsage: boolean
  readonly timingsPerToken: boolean
}

/** Runs the choices and answers with all of them; rejects, having aborted the rest, when one fails. */
export async function answer(
  engine: Engine,
  exchange: Exchange,
  choices: readonly Choice[],
  wording: { readonly shape: AnswerShape; readonly options: AnswerOptions },
): Promise<void> {
  const { shape, options } = wording
  if (options.isStream) await streamChoices(engine, exchange, choices, wording)
  else exchange.sendJson(await collectChoices(engine, exchange, choices, shape))
}

async function collectChoices(
  engine: Engine,
  exchange: Exchange,
  choices: readonly Choice[],
  shape: AnswerShape,
): Promise<object> {
  const texts = choices.map(() => '')
  const logprobs: TokenLogprob[][] = choices.map(() => [])
  const outcomes = await runChoices(engine, choices, exchange.signal, {
    onStart: () => undefined,
    onPiece(index, piece) {
      texts[index] += piece.text
      logprobs[index]?.push(...piece.logprobs)
    },
    onOutcome: () => undefined,
  })
  const timings = sumTimings(choices.map(choice => choice.meter))
  const { id, created, ...engineNames } = headerOf(engine)
  return {
    choices: outcomes.map((outcome, index) =>
      shape.whole(index, { text: texts[index] ?? '', logprobs: logprobs[index] ?? [], outcome }),
    ),
    created,
    ...engineNames,
    object: shape.object,
    usage: toUsage(timings),
    id,
    timings,
  }
}

async function streamChoices(
  engine: Engine,
  exchange: Exchange,
  choices: readonly Choice[],
  { shape, options }: { readonly shape: AnswerShape; readonly options: AnswerOptions },
): Promise<void> {
  const header = { ...headerOf(engine), object: shape.chunkObject }
  const meters = choices.map(choice => choice.meter)
  const opened = new Set<number>()
  let unfinished = choices.length
  const open = (index: number) => {
    if (opened.has(index)) return []
    opened.add(index)
    return shape.openStream(index).map(choice => ({ choices: [choice], ...header }))
  }
  await runChoices(engine, choices, exchange.signal, {
    onStart: () => exchange.startStream(),
    onPiece(index, piece) {
      const timings = options.timingsPerToken ? { timings: sumTimings(meters) } : {}
      const added = shape.continueStream(index, piece).map(choice => ({ choices: [choice], ...header, ...timings }))
      exchange.sendEvents([...open(index), ...added])
    },
    onOutcome(index, outcome) {
      unfinished -= 1
      const end = { choices: [shape.endStream(index, outcome)], ...header }
      if (unfinished > 0) return exchange.sendEvents([...open(index), end])
      const timings = sumTimings(meters)
      const usage = { choices: [], ...header, usage: toUsage(timings), timings }
      exchange.sendEvents([...open(index), ...(options.includeUsage ? [end, usage] : [{ ...end, timings }])])
    },
  })
  exchange.endStream()
}

interface ChoiceEvents {
  onStart(): void
  onPiece(index: number, piece: Piece): void
  onOutcome(index: number, outcome: Outcome): void
}

async function runChoices(
  engine: Engine,
  choices: readonly Choice[],
  clientSignal: AbortSignal,
  events: ChoiceEvents,
): Promise<readonly Outcome[]> {
  const failure = new AbortController()
  const signal = AbortSignal.any([clientSignal, failure.signal])
  const runs = choices.map(async ({ request, meter }, index) => {
    const outcome = await generate(engine, request, choiceEvents(index, meter, events), signal)
    meter.finish(outcome.timings)
    events.onOutcome(index, outcome)
    return outcome
  })
  try {
    return await Promise.all(runs)
  } catch (error) {
    failure.abort(error)
    await Promise.allSettled(runs)
    throw error
  }
}

function choiceEvents(index: number, meter: ChoiceMeter, events: ChoiceEvents) {
  return {
    onStart() {
      meter.start()
      events.onStart()
    },
    onPiece(piece: Piece) {
      meter.record(piece.tokens)
      events.onPiece(index, piece)
    },
  }
}

function headerOf(engine: Engine) {
  return {
    created: Math.floor(Date.now() / 1000),
    id: `chatcmpl-${randomBytes(24).toString('base64url')}`,
    model: engine.settings.modelName,
    system_fingerprint: engine.fingerprint,
  }
}
