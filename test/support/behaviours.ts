import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type CompletionOptions, chat } from './completion.ts'
import type { Behaviour, Exchange, Header } from './exchange.ts'

/** What no answer of a gateway may ever show. The rude behaviours put it into everything they send. */
export const BACKEND_SECRET = 'sk-backend-secret-9f2c at /srv/engine/server.py:1337 0x7ffd3a2b'

/** After `tokens` tokens the connection ends without closing chunk: the process was killed, or (`reset`) a middlebox cut in. */
export function diesAfter(tokens: number, by: 'fin' | 'reset' = 'fin', options: CompletionOptions = {}): Behaviour {
  return chat({ ...options, tokens, breaksAfter: tokens, breaksBy: by })
}

/** After `tokens` tokens nothing more comes and the socket stays open. */
export function stallsAfter(tokens: number, options: CompletionOptions = {}): Behaviour {
  return chat({ ...options, tokens, breaksAfter: tokens, breaksBy: 'stall' })
}

/** A whole answer that waits after `tokens` tokens for whatever `until` is. */
export function pausesAfter(tokens: number, until: Promise<unknown>, options: CompletionOptions = {}): Behaviour {
  return async exchange => {
    let sent = 0
    const events = async (data: readonly unknown[], counted?: number) => {
      sent += 1
      if (sent > tokens) await until
      return await exchange.events(data, counted)
    }
    await chat(options)(Object.create(exchange, { events: { value: events } }) as Exchange)
  }
}

/** A clean HTTP end after `tokens` tokens, without finish_reason and without [DONE]. */
export function endsEarly(tokens: number, options: CompletionOptions = {}): Behaviour {
  return chat({ ...options, tokens, breaksAfter: tokens, breaksBy: 'clean' })
}

/** finish_reason and usage, and a clean HTTP end, but no [DONE]. */
export function omitsDone(tokens: number, options: CompletionOptions = {}): Behaviour {
  return chat({ ...options, tokens, breaksBy: 'no-done' })
}

/** llama-server's shared context is full after `tokens` tokens: an error event, a clean end, no [DONE]. */
export function fillsContext(tokens: number, options: CompletionOptions = {}): Behaviour {
  return chat({ ...options, tokens, breaksAfter: tokens, breaksBy: 'error-event' })
}

/** Reads the request and never says a word. */
export function neverAnswers(): Behaviour {
  return exchange => exchange.stall()
}

/** The connection ends before any byte of the answer. */
export function hangsUp(by: 'fin' | 'reset' = 'fin'): Behaviour {
  return exchange => (by === 'reset' ? exchange.reset() : exchange.hangUp())
}

/** What every path of a llama-server says while the model loads. */
export function loading(): Behaviour {
  return errorAnswer(503, { error: { message: 'Loading model', type: 'unavailable_error', code: 503 } })
}

/** A JSON error answer and, as llama-server has it, the end of the connection. */
export function errorAnswer(status: number, body: unknown, headers: readonly Header[] = []): Behaviour {
  const all: Header[] = [['Content-Type', 'application/json; charset=utf-8'], ['Connection', 'close'], ...headers]
  return exchange => exchange.answer(status, all, JSON.stringify(body))
}

/** An error page with a stack, a heap address and a key in it. */
export function htmlError(status = 500): Behaviour {
  const page = `<html><body><h1>Traceback</h1><pre>${BACKEND_SECRET}</pre></body></html>`
  return exchange =>
    exchange.answer(
      status,
      [
        ['Content-Type', 'text/html'],
        ['Connection', 'close'],
      ],
      page,
    )
}

/** An error whose body never ends; `exchange.bytesSent` says how much of it was taken. */
export function endlessError(status = 500): Behaviour {
  return async exchange => {
    await exchange.head(status, [
      ['Content-Type', 'application/json'],
      ['Transfer-Encoding', 'chunked'],
    ])
    await exchange.chunk(`{"error":{"message":"${BACKEND_SECRET}`)
    while (await exchange.chunk(BACKEND_SECRET.repeat(250)));
  }
}

/** 200 and an event stream, whose first event is an error. */
export function errorInFirstEvent(): Behaviour {
  return async exchange => {
    await exchange.stream()
    await exchange.control({ error: { code: 500, message: BACKEND_SECRET, type: 'server_error' } })
    await exchange.end({ close: true })
  }
}

/** 200 and a whole body that is no event stream and no completion. */
export function notAStream(contentType = 'text/html', body = `<html>${BACKEND_SECRET}</html>`): Behaviour {
  return exchange => exchange.answer(200, [['Content-Type', contentType]], body)
}

/** 200, says it is an event stream, and sends noise. */
export function garbage(bytes = 4_096): Behaviour {
  return async exchange => {
    await exchange.stream()
    await exchange.chunk(randomBytes(bytes))
    await exchange.end({ close: true })
  }
}

/** An event whose line never ends: `exchange.bytesSent` says how much of it was taken. */
export function endlessLine(): Behaviour {
  return async exchange => {
    await exchange.stream()
    await exchange.chunk('data: {"choices":[{"index":0,"delta":{"content":"')
    while (await exchange.chunk('a'.repeat(65_536)));
  }
}

/** First `ms` of silence, then `behaviour`; nothing when the client leaves meanwhile. */
export function delayed(ms: number, behaviour: Behaviour): Behaviour {
  return async exchange => {
    if (await exchange.wait(ms)) await behaviour(exchange)
  }
}

/** The first request gets the first behaviour, the second the second …; the last one stays. */
export function inTurn(...behaviours: readonly [Behaviour, ...Behaviour[]]): Behaviour {
  let [turn, ...rest] = behaviours
  return exchange => {
    const mine = turn
    const [next, ...later] = rest
    if (next !== undefined) [turn, rest] = [next, later]
    return mine(exchange)
  }
}

/** A recorded answer of a real llama-server, byte for byte. `pieces` cuts it into writes of that many bytes. */
export function replay(name: string, { pieces, everyMs = 0 }: { pieces?: number; everyMs?: number } = {}): Behaviour {
  const bytes = readRecording(name)
  return async exchange => {
    for (let at = 0; at < bytes.length; at += pieces ?? bytes.length) {
      if (at > 0 && pieces !== undefined && !(await exchange.wait(everyMs))) return
      await exchange.write(bytes.subarray(at, at + (pieces ?? bytes.length)))
    }
    finishLikeLlamaServer(exchange, bytes)
  }
}

/** The raw bytes of a recorded answer. */
export function readRecording(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/llama-server/${name}.http`, import.meta.url))
}

/** The JSON body that the recorded answer was given to. */
export function readRecordedRequest(name: string): unknown {
  const text = readFileSync(new URL(`../fixtures/llama-server/${name}.req`, import.meta.url), 'utf8')
  return JSON.parse(text.slice(text.indexOf('\n{')))
}

/** It closes after every stream, whatever its headers say, and after every error. */
function finishLikeLlamaServer(exchange: Exchange, bytes: Buffer): void {
  const head = bytes.subarray(0, bytes.indexOf('\r\n\r\n')).toString('latin1')
  exchange.finish()
  if (/^(connection: close|transfer-encoding: chunked)\r?$/im.test(head)) exchange.hangUp()
}
