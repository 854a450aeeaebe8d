import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import OpenAI from 'openai'
import type { ChatMessage } from '../../../src/schemas/chat-message.ts'
import { chat } from '../../support/completion.ts'
import { llamaServer } from '../../support/engines.ts'
import type { Behaviour } from '../../support/exchange.ts'
import { startFleet } from '../../support/fleet.ts'
import { PrefixCacheServer } from '../../support/prefix-cache.ts'
import { seeded } from '../../support/seeded.ts'

const slots = 4
const conversationsAtOnce = 6
const turns = 10
const requests = 240
const thinkMs = 150
/** What a prompt token and an answer take. */
const [readMs, answerMs] = [0.1, 50]

type Messages = { role: 'system' | 'user' | 'assistant'; content: string }[]

const words = (random: () => number, length: number): string => {
  let text = ''
  while (text.length < length) text += `${Math.floor(random() * 36 ** 6).toString(36)} `
  return text.slice(0, length)
}

/** What the template makes of it. */
const promptOf = (messages: readonly Pick<ChatMessage, 'role' | 'content'>[]) =>
  messages.map(({ role, content }) => `<${role}>${content}`).join('')

/** A backend that takes its time to read what it has in no cache. */
function readsAndAnswers(cache: PrefixCacheServer): Behaviour {
  const answer = seeded(0)
  return llamaServer({
    slots,
    chat: async exchange => {
      const { messages } = exchange.request.json as { messages: ChatMessage[] }
      const prompt = promptOf(messages)
      const tokens = cache.read(prompt)
      if (!(await exchange.wait(tokens * readMs + answerMs))) return
      const text = words(answer, 600)
      cache.write(prompt, `<assistant>${text}`)
      await chat({ tokens: [text] })(exchange)
    },
  })
}

/** Conversations of several turns, some of them at once; what is said is the same wherever it goes. */
async function converse(ask: (messages: Messages) => Promise<string>): Promise<void> {
  let left = requests
  const one = async (index: number) => {
    const random = seeded(index + 1)
    const instructions = words(seeded(1000 + (index % 3)), 1500)
    let messages: Messages = []
    for (let turn = 0; left > 0; turn += 1) {
      left -= 1
      if (turn % turns === 0) messages = [{ role: 'system', content: instructions }]
      messages.push({ role: 'user', content: words(random, 100 + random() * 400) })
      messages.push({ role: 'assistant', content: await ask(messages) })
      await sleep(random() * 2 * thinkMs)
    }
  }
  await Promise.all(Array.from({ length: conversationsAtOnce }, (_, index) => one(index)))
}

interface Run {
  /** Prompt tokens that were in no cache. */
  readonly recomputed: number
  /** By backend. */
  readonly served: readonly number[]
}

/** `clientsOf`: whom callers ask, in turn. */
async function run(
  t: TestContext,
  clientsOf: (gateway: OpenAI, backends: readonly string[]) => readonly OpenAI[],
): Promise<Run> {
  const caches = ['a', 'b'].map(id => new PrefixCacheServer(id, slots))
  const fleet = await startFleet(t, caches.map(readsAndAnswers), { slots })
  const clients = clientsOf(
    fleet.gateway.openai,
    fleet.backends.map(({ url }) => url),
  )
  let asked = 0
  await converse(async messages => {
    const client = clients[asked++ % clients.length]
    assert.ok(client !== undefined)
    const { choices } = await client.chat.completions.create({ model: 'tinychat', messages })
    return choices[0]?.message.content ?? assert.fail('an answer without text')
  })
  const recomputed = caches.reduce((sum, cache) => sum + cache.recomputed, 0)
  return { recomputed, served: caches.map((_, index) => fleet.inferences(index).length) }
}

test('through the gateway at most half as many prompt tokens are recomputed as by asking backends in turn', async t => {
  const inTurn = await run(t, (_gateway, backends) =>
    backends.map(url => new OpenAI({ apiKey: 'none', baseURL: `${url}/v1`, maxRetries: 0 })),
  )
  const routed = await run(t, gateway => [gateway])
  t.diagnostic(`${inTurn.recomputed} prompt tokens recomputed in turn, ${routed.recomputed} through the gateway`)
  t.diagnostic(`requests by backend: ${inTurn.served.join(' and ')} in turn, ${routed.served.join(' and ')} routed`)
  assert.ok(routed.recomputed <= inTurn.recomputed / 2)
  // Not by leaving one of them idle.
  assert.ok(Math.min(...routed.served) >= requests / 5)
})
