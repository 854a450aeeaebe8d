import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replay } from '../../support/behaviours.ts'
import { llamaServer } from '../../support/engines.ts'
import type { Behaviour } from '../../support/exchange.ts'
import { startFaultProxy } from '../../support/fault-proxy.ts'
import {
  ask,
  chatChunk,
  gatewayBefore,
  type Json,
  question,
  readStream,
  streamQuestion,
} from '../../support/inference.ts'
import { recordedEvents } from '../../support/recording.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

const texts = ['Grüße', ' 🌊 über', ' das "Wehr"\\', ' \u2028 data: x\n\ndata: y', ' \r\n', '.']
const events = [...texts.map(text => chatChunk(text)), chatChunk('', 'stop')]

/** How servers write events: the text of a stream of these. */
const styles: Record<string, (events: readonly object[]) => string> = {
  LF: write('\n'),
  CRLF: write('\r\n'),
  CR: write('\r'),
  'a byte order mark': list => `\ufeff${write('\n')(list)}`,
  'CRLF and a byte order mark': list => `\ufeff${write('\r\n')(list)}`,
  'no space after the colon': list => write('\n')(list).replaceAll(/^data: /gm, 'data:'),
  'data in several lines': write('\n', event => JSON.stringify(event, null, 2).replaceAll('\n', '\ndata: ')),
  'data in several lines, CRLF': write('\r\n', event => JSON.stringify(event, null, 2).replaceAll('\n', '\r\ndata: ')),
  'other fields, comments, all line ends': list =>
    list
      .map((event, n) => `event: e\r\nid: ${n}\rretry: 5\n: hello\ndata: ${JSON.stringify(event)}\n\n: ping\r\n\r\n`)
      .concat('data: [DONE]\r\r')
      .join(''),
  'an empty line too many': list => write('\n')(list).replaceAll('\n\n', '\n\n\n'),
  'empty lines, odd and even': list => `\n${write('\n')(list).replaceAll('\n\n', '\n\n\n\n\n\n')}\n\n\n`,
  'empty lines, CRLF': list => `\r\n${write('\r\n')(list).replaceAll('\r\n\r\n', '\r\n\r\n\r\n')}\r\n`,
  'JSON with spaces': write('\n', event => JSON.stringify(event).replaceAll('":', '": ').replaceAll(',"', ', "')),
}

function write(eol: string, format: (event: object) => string = JSON.stringify) {
  return (list: readonly object[]) => [...list.map(format), '[DONE]'].map(data => `data: ${data}${eol}${eol}`).join('')
}

function answerOf(text: string): Buffer {
  const length = Buffer.byteLength(text)
  return Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: ${length}\r\n\r\n${text}`)
}

/** Sends an answer, head included, in these pieces. */
function inPieces(pieces: readonly Buffer[]): Behaviour {
  return async exchange => {
    for (const piece of pieces) {
      await exchange.write(piece)
      await exchange.wait(0)
    }
    exchange.finish()
  }
}

function split(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size))
}

for (const name of ['tinychat', 'behind']) {
  test(`S09 byte by byte, in odd pieces and at once, in every style (the backend calls it ${name})`, async t => {
    const backend = await startScriptedBackend(t)
    const gateway = await gatewayBefore(t, backend, { targetModel: name })
    for (const [style, format] of Object.entries(styles)) {
      const answer = answerOf(format(events).replaceAll('tinychat', name))
      for (const size of [1, 3, 64, 1000, answer.length]) {
        backend.use(inPieces(split(answer, size)))
        const seen = await readStream(await ask(t, gateway))
        assert.deepEqual(seen.events, events, `${style}, pieces of ${size}`)
        assert.ok(seen.isDone)
      }
    }
  })
}

for (const style of ['CRLF', 'CR', 'other fields, comments, all line ends']) {
  test(`S09 cut in two at every byte: ${style}`, async t => {
    const few = [chatChunk('ü🌊'), chatChunk('.', 'stop')]
    const answer = answerOf(styles[style]?.(few) ?? '')
    const backend = await startScriptedBackend(t)
    const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
    const expected = JSON.stringify(few)
    for (let offset = 1; offset < answer.length; offset += 1) {
      backend.use(inPieces([answer.subarray(0, offset), answer.subarray(offset)]))
      const seen = await readStream(await ask(t, gateway))
      assert.equal(JSON.stringify(seen.events), expected, `cut at ${offset}`)
      assert.ok(seen.isDone)
    }
  })
}

test('S09 a trickle through a slow line, one byte at a time in mid-event', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: replay('021-chat-stream') }))
  const proxy = await startFaultProxy(t, backend)
  const gateway = await gatewayBefore(t, proxy)
  for (const size of [1, 5, 100]) {
    proxy.slicer(size)
    const seen = await readStream(await ask(t, gateway))
    const recorded = recordedEvents('021-chat-stream').map(({ timings: _timings, ...event }) => event)
    assert.deepEqual(seen.events, recorded, `pieces of ${size}`)
    const answer = (await gateway.openai.chat.completions.create(question)) as unknown as Json
    assert.equal((answer['choices'] as Json[]).length, 1)
  }
  // A few hundred bytes a second: an event takes long, and is whole all the same.
  proxy.clear()
  proxy.bandwidth(4000)
  const seen = await readStream(await ask(t, gateway, streamQuestion))
  assert.ok(seen.isDone)
})
