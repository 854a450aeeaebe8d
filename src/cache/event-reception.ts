import type { Call } from '../backend/call.ts'
import { byteBound } from '../backend/collect-answer.ts'
import type { Engine } from '../backend/engine.ts'
import { Fault } from '../backend/fault.ts'
import type { Reception } from '../backend/reception.ts'
import { StreamRelay } from '../backend/stream-relay.ts'
import { Assembler } from '../domain/assemble.ts'
import { hasContent, type Json } from '../domain/chat-event.ts'
import { type Usage, UsageTally } from '../domain/usage.ts'
import { tailOf } from './replay.ts'

/** Takes the events of one attempt's stream: hands each on as it comes, and puts the whole answer together. */
export class EventReception implements Reception {
  readonly #relay: StreamRelay
  readonly #tally: UsageTally
  readonly #assembler: Assembler
  readonly #count = byteBound()
  #hasContent = false

  /** `onEvent` is given the event without what all events of one stream have in common; see tailOf. */
  constructor(call: Call, engine: Engine, onEvent: (tail: string) => void) {
    this.#tally = new UsageTally(engine.usagePerChoice, call.choicesPerPrompt)
    this.#assembler = new Assembler(call.operation === 'chat' ? 'chat' : 'completions')
    this.#relay = new StreamRelay({
      model: call.askedModel,
      tally: this.#tally,
      includeUsage: false,
      hideCachedTokens: false,
      choices: call.choices,
      look: event => {
        this.#assembler.add(event)
        this.#hasContent ||= hasContent(event)
        onEvent(tailOf(event))
        return null
      },
      onFrames: () => {},
    })
  }

  /** May throw a Fault, as `onEnd` may. */
  onData(chunk: Buffer): boolean {
    this.#count(chunk)
    const isProgress = this.#relay.push(chunk)
    if (this.#relay.isDone) this.onEnd()
    return isProgress
  }

  onEnd(): void {
    this.#relay.end()
    if (!this.#assembler.isFinished) throw new Fault('incomplete', 'a choice never ended')
  }

  get answer(): Json {
    return this.#assembler.result()
  }

  get isDone(): boolean {
    return this.#relay.isDone
  }

  get hasContent(): boolean {
    return this.#hasContent
  }

  get usage(): Usage | null {
    return this.#tally.total()
  }

  get pieces(): number {
    return this.#relay.pieces
  }
}
