import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkChatRequest, checkCompletionRequest } from '../../src/domain/request-rules.ts'
import type { ChatRequest } from '../../src/schemas/chat-request.ts'
import type { CompletionRequest } from '../../src/schemas/completion-request.ts'

const messages = [{ role: 'user', content: 'hello' }] as const
const tools = [{ type: 'function', function: { name: 'f' } }]
const named = (name: string) => ({ type: 'function', function: { name } })

const chat = (body: object, allowRemoteImages = false) =>
  checkChatRequest({ messages, ...body } as unknown as ChatRequest, { allowRemoteImages })
const completion = (body: object) => checkCompletionRequest({ prompt: 'x', ...body } as CompletionRequest)
const image = (url: string) => ({
  messages: [
    ...messages,
    {
      role: 'user',
      content: [
        { type: 'text', text: 'x' },
        { type: 'image_url', image_url: { url } },
      ],
    },
  ],
})

describe('fields that contradict each other', () => {
  const refused: [string, () => void, string][] = [
    ['stream_options without stream', () => chat({ stream_options: {} }), 'stream_options'],
    ['the same for completions', () => completion({ stream: false, stream_options: {} }), 'stream_options'],
    ['top_logprobs without logprobs', () => chat({ top_logprobs: 3 }), 'top_logprobs'],
    ['a required tool without tools', () => chat({ tool_choice: 'required' }), 'tool_choice'],
    ['a named tool without tools', () => chat({ tool_choice: named('f') }), 'tool_choice'],
    ['a named tool that is not there', () => chat({ tools, tool_choice: named('g') }), 'tool_choice.function.name'],
    [
      'an allowed tool that is not there',
      () =>
        chat({
          tools,
          tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [named('f'), named('g')] } },
        }),
      'tool_choice.allowed_tools.tools[1].function.name',
    ],
    [
      'an assistant who says nothing',
      () => chat({ messages: [...messages, { role: 'assistant' }] }),
      'messages[1].content',
    ],
    ['echo, which no engine gives', () => completion({ echo: true }), 'echo'],
    ['best_of, which no engine weighs', () => completion({ best_of: 3 }), 'best_of'],
    ['best_of over n', () => completion({ n: 2, best_of: 3 }), 'best_of'],
    ['more answers than can be', () => completion({ prompt: Array(65).fill('x'), n: 2 }), 'n'],
  ]
  for (const [name, run, param] of refused) {
    test(`${name} is refused at ${param}`, () => assert.throws(run, { statusCode: 400, param }))
  }

  test('what fits together passes', () => {
    chat({ stream: true, stream_options: { include_usage: true } })
    chat({ logprobs: true, top_logprobs: 5 })
    chat({ top_logprobs: 0, stream_options: null })
    chat({ tool_choice: 'none' })
    chat({ tools, tool_choice: 'required' })
    chat({ tools, tool_choice: named('f') })
    chat({ messages: [{ role: 'assistant', content: '' }] })
    chat({ messages: [{ role: 'assistant', content: null, tool_calls: [{}] }] })
    completion({ echo: false, n: 2, best_of: 2 })
    completion({ best_of: 1, echo: null })
    completion({ prompt: Array(1000).fill(7), n: 128 })
  })
})

describe('H09 the URL of an image', () => {
  const inside = ['png', 'jpeg', 'jpg', 'webp', 'gif'].map(type => `data:image/${type};base64,iVBORw0KGgoAAAANSUhEUg==`)
  const remote = ['http://example.com/a.png', 'https://10.0.0.1:8080/x?y=z', 'http://2130706433/', 'http://[::1]/']
  const refused = [
    ...[
      '',
      'data:',
      'data:image/png;base64,',
      'data:image/png,iVBO',
      'data:text/html;base64,iVBORw0KGgoAAAAN',
      'data:image/svg+xml;base64,PHN2',
    ],
    ...[
      ' data:image/png;base64,iVBORw0KGgoAAAAN',
      'DATA:image/png;base64,iVBORw0KGgoAAAAN',
      'data:image/PNG;base64,iVBORw0KGgoAAAAN',
      'data: image/png;base64,iVBORw0KGgoAAAAN',
    ],
    ...[
      '\tdata:image/png;base64,iVBORw0KGgoAAAAN',
      'data:image/png;base64, iVBO',
      'data:image/png;charset=x;base64,iVBORw0KGgoAAAAN',
    ],
    ...['data:image/png;base64,http://127.0.0.1/', 'file:///etc/passwd', 'ftp://example.com/a', '//example.com/a.png'],
    ...[
      '/etc/passwd',
      'gopher://127.0.0.1:6379/_x',
      'javascript:alert(1)',
      'localhost',
      'blob:http://x',
      'HTTP://example.com',
    ],
    ...[
      ' http://example.com',
      'http:\\\\example.com',
      'http:/example.com',
      'http://exa mple.com',
      'http://example.com/\u0000',
    ],
    ...['http://exämple.com/', 'http://example.com\r\nHost: x', `https://${'a'.repeat(3000)}`],
  ]
  const param = 'messages[1].content[1].image_url.url'

  test('H09 an image inside its URL passes', () => {
    for (const url of inside) chat(image(url))
  })

  test('H09 every other URL is refused', () => {
    for (const url of [...refused, ...remote]) {
      assert.throws(() => chat(image(url)), { statusCode: 400, param, message: /must be a data: URL/ }, url)
    }
  })

  test('H09 with remote images allowed only plain http and https URLs are added', () => {
    for (const url of [...inside, ...remote]) chat(image(url), true)
    for (const url of refused) assert.throws(() => chat(image(url), true), { statusCode: 400, param }, url)
  })

  test('H09 an image of megabytes is not read through', () => {
    // Written and read back, so that it is one flat text as JSON.parse makes it.
    const body = image(Buffer.from(`data:image/png;base64,${'A'.repeat(50_000_000)}`).toString('latin1'))
    const start = performance.now()
    chat(body)
    assert.ok(performance.now() - start < 50)
  })
})
