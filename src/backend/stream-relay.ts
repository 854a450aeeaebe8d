import { choicesOf, countPieces, hasContent, type Json } from '../domain/chat-event.ts'
import { FrameSplitter, FrameTooLargeError, frameData } from '../domain/sse-frames.ts'
import { formatUsage, type UsageTally } from '../domain/usage.ts'
import { complete } from './envelope.ts'
import { Fault } from './fault.ts'
import { StreamEndings } from './stream-endings.ts'
import { parseEvent } from './stream-event.ts'

/** A frame larger than this is not an answer's; the backend is cut off. */
const maxFrameBytes = 4 * 1024 * 1024

const lf = 0x0a
const quote = 0x22
const colon = 0x3a
const dataField = Buffer.from('\ndata')
const frameStart = Buffer.from('data: {')
const frameEnd = Buffer.from('\n\n')
/**
 * Keys that make a frame worth parsing. Inside a JSON string the quote would be escaped, so this is the end of a key, or of
 * a string value, which costs a needless look and nothing else. (Searching for the opening quote too takes four times as
 * long: every other byte is one.)
 */
const telling = /(?:usage|timings|error|message)"/
/** A field of a frame: inside the data a line never begins, so this is none of the caller's text. */
const errorEvent = /^event: ?error$/m
const doneFrame = Buffer.from('data: [DONE]\n\n')

export interface RelayOptions {
  /** The name the caller asked for; every event carries it. */
  readonly model: string
  readonly tally: UsageTally
  /** Whether the caller asked for the usage of the stream. */
  readonly includeUsage: boolean
  readonly hideCachedTokens: boolean
  /** Choices expected; with more than one, a stream without `[DONE]` cannot be told from a cut one. */
  readonly choices: number
  /**
   * Chooses the mode. Absent: *bytes*; frames pass as they came, patched where the model's name differs, and only those
   * that tell something are parsed. Present: *events*; each event is parsed and handed over, and what is returned goes on
   * to the caller (null drops it).
   */
  readonly look?: (event: Json) => Json | null
  /** What every event must have; a backend whose events lack some of it has each of them parsed and completed. */
  readonly envelope?: Json
  /** What the caller's usage event has beside the tokens; asked for when all of them are known. */
  readonly besideTokens?: () => Json
  /** Whole frames for the caller. */
  readonly onFrames: (frames: Buffer) => void
}

interface NamePatch {
  readonly from: Buffer
  readonly to: Buffer
}

/**
 * Turns a backend's event stream into the caller's: the model's public name, no engine-only fields, usage as asked for,
 * ended by `[DONE]`. Throws Faults: `rubbish`, `failed` (the backend says error in mid-stream) and `incomplete`.
 */
export class StreamRelay {
  readonly #options: RelayOptions
  readonly #splitter = new FrameSplitter(maxFrameBytes)
  /** `model":"…"` as the backend writes it and as the caller wants it; null while unknown or where they are equal. */
  #patch: NamePatch | null = null
  #patchKnown = false
  /** The last event that was parsed, without its choices: the mould of the usage event. */
  #mould: Json = {}
  #completesAll = false
  readonly #endings = new StreamEndings()
  /** Pieces of output in frames that passed unparsed, and in those that were parsed. */
  #passedPieces = 0
  #parsedPieces = 0
  #state: 'head' | 'content' | 'done' = 'head'

  constructor(options: RelayOptions) {
    this.#options = options
  }

  /** Whether something that the caller learns from has come. */
  get hasContent(): boolean {
    return this.#state !== 'head'
  }

  /** Whether the backend has said `[DONE]`, and so has the caller been told. */
  get isDone(): boolean {
    return this.#state === 'done'
  }

  /**
   * Pieces of output so far: of each choice, events that bring some of it. llama-server sends one for each token. An engine
   * that sends several tokens in one event, or tokens that show nothing yet, has written more: it is a lower bound.
   */
  get pieces(): number {
    // The end of a choice is a frame without output, and looks like the others where it passes unparsed.
    const passed = this.#endings.hasPassedEnd ? Math.max(0, this.#passedPieces - 1) : this.#passedPieces
    return passed + this.#parsedPieces
  }

  /** Takes the next bytes; false where they are comments, which say that the server lives, not that it gets on. */
  push(chunk: Buffer): boolean {
    if (this.#state === 'done') return true
    const frames = this.#split(chunk)
    if (frames === null) return true
    const out = this.#translate(frames)
    if (out.length > 0) this.#options.onFrames(out)
    return frames[0] !== colon || frames.includes(dataField)
  }

  /** The backend has ended the stream as if it were whole. */
  end(): void {
    if (this.#state === 'done') return
    // Some servers end after the finish reason without [DONE]; the answer is whole then.
    const finished = this.#options.choices === 1 && this.#endings.areComplete
    if (this.#state === 'head' || !finished || this.#splitter.pendingBytes > 0) {
      throw new Fault('incomplete', 'the stream ended without finish_reason and [DONE]')
    }
    this.#options.onFrames(this.#done())
  }

  #split(chunk: Buffer): Buffer | null {
    try {
      return this.#splitter.push(chunk)
    } catch (error) {
      if (error instanceof FrameTooLargeError) throw new Fault('rubbish', error.message)
      throw error
    }
  }

  /** The caller's frames for these; untouched spans are passed on by reference. */
  #translate(frames: Buffer): Buffer {
    // With several choices, whose usage an event reports shows in the event before it.
    const mustParse =
      this.#state === 'head' || this.#completesAll || this.#options.look !== undefined || this.#options.choices > 1
    const mayTell = telling.test(frames.toString('latin1'))
    const pieces: Buffer[] = []
    let copied = 0
    let start = 0
    while (start < frames.length && this.#state !== 'done') {
      const end = frameEndAfter(frames, start)
      const plain =
        !mustParse && isPlain(frames, start, end) && !(mayTell && telling.test(frames.toString('latin1', start, end)))
      const at = plain ? this.#patchAt(frames, start, end) : -1
      if (plain) this.#endings.passed(frames)
      if (!plain || at === -1) {
        pieces.push(frames.subarray(copied, start), this.#parse(frames.toString('utf8', start, end)))
        copied = end
      } else {
        this.#passedPieces++
        if (this.#patch !== null) {
          pieces.push(frames.subarray(copied, at), this.#patch.to)
          copied = at + this.#patch.from.length
        }
      }
      start = end
    }
    if (copied === 0) return frames
    if (this.#state !== 'done') pieces.push(frames.subarray(copied))
    return Buffer.concat(pieces)
  }

  /** Where the model's name is to be patched; `start` where nothing is to be, -1 where the pattern misses. */
  #patchAt(frames: Buffer, start: number, end: number): number {
    if (this.#patch === null) return this.#patchKnown ? start : -1
    const at = frames.indexOf(this.#patch.from, start)
    return at < end && frames[at - 1] === quote ? at : -1
  }

  /** Parses one frame; returns what the caller gets for it, which may be nothing. */
  #parse(frame: string): Buffer {
    const data = frameData(frame)
    if (data === null || data === '') return empty
    if (errorEvent.test(frame)) throw new Fault('failed', 'the backend reported an error in its stream')
    if (data === '[DONE]') {
      if (this.#state === 'head') throw new Fault('incomplete', 'the stream ended without any content')
      if (!this.#endings.areComplete) throw new Fault('incomplete', 'a choice never ended')
      return this.#done()
    }
    const event = parseEvent(data)
    this.#options.tally.observe(event)
    const { envelope } = this.#options
    // What an event without choices lacks says nothing of the others.
    if (envelope !== undefined && complete(event, envelope) && choicesOf(event).length > 0) this.#completesAll = true
    this.#learn(event, data)
    delete event['usage']
    delete event['timings']
    // What is left of a usage event has no choices: the caller's own usage event is made at the end.
    const choices = choicesOf(event)
    if (choices.length === 0) return empty
    this.#endings.parsed(choices)
    this.#parsedPieces += countPieces(event)
    if (this.#state === 'head' && hasContent(event)) this.#state = 'content'
    if ('model' in event) event['model'] = this.#options.model
    const shown = this.#options.look === undefined ? event : this.#options.look(event)
    return shown === null ? empty : Buffer.from(`data: ${JSON.stringify(shown)}\n\n`)
  }

  #learn(event: Json, data: string): void {
    const { choices: _choices, usage: _usage, timings: _timings, ...mould } = event
    this.#mould = mould
    const { model } = event
    if (typeof model !== 'string') return
    this.#patchKnown = true
    this.#patch = model === this.#options.model ? null : namePatch(model, this.#options.model, data)
  }

  /** The end of the caller's stream. */
  #done(): Buffer {
    this.#state = 'done'
    const usage = this.#options.includeUsage ? this.#options.tally.total() : null
    if (usage === null) return doneFrame
    const event = {
      ...this.#mould,
      model: this.#options.model,
      choices: [],
      usage: { ...formatUsage(usage, this.#options.hideCachedTokens), ...this.#options.besideTokens?.() },
    }
    return Buffer.concat([Buffer.from(`data: ${JSON.stringify(event)}\n\n`), doneFrame])
  }
}

const empty = Buffer.alloc(0)

/**
 * The bytes to look for and what to put there, spaced as this backend spaces its JSON. The key's opening quote is left out
 * and looked at afterwards: it is the one byte that is everywhere.
 */
function namePatch(from: string, to: string, data: string): NamePatch {
  const key = data.includes(`"model": ${JSON.stringify(from)}`) ? 'model": ' : 'model":'
  return { from: Buffer.from(key + JSON.stringify(from)), to: Buffer.from(key + JSON.stringify(to)) }
}

/** The offset after the frame that begins at `start`; what is left at the end may be an empty line too many. */
function frameEndAfter(frames: Buffer, start: number): number {
  const line = frames.indexOf(lf, start)
  if (frames[line + 1] === lf) return line + 2
  const end = frames.indexOf(frameEnd, start)
  return end === -1 ? frames.length : end + 2
}

/** One `data: {…}` line and nothing else. */
function isPlain(frames: Buffer, start: number, end: number): boolean {
  for (let i = 0; i < frameStart.length; i++) if (frames[start + i] !== frameStart[i]) return false
  return frames.indexOf(lf, start) === end - 2
}
