import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findPreferred, pickTarget } from '../../src/domain/picker.ts'
import { prefixKeyOf } from '../../src/domain/prompt-prefix.ts'
import type { ChatMessage } from '../../src/schemas/chat-message.ts'
import { PrefixCacheServer } from '../support/prefix-cache.ts'
import { seeded } from '../support/seeded.ts'

/** Where a call goes; `messages` are its body's. */
type Route = (
  servers: readonly PrefixCacheServer[],
  messages: readonly ChatMessage[],
  accountId: string,
) => PrefixCacheServer

/** Callers who each have one conversation after the other. */
interface Workload {
  readonly callers: number
  /** Callers of one account have the same instructions. */
  readonly accounts: number
  readonly instructionLength: number
  readonly turns: number
  /** Between an answer and the next question, on average. */
  readonly thinkMs: number
}

const words = (random: () => number, length: number): string => {
  let text = ''
  while (text.length < length) text += `${Math.floor(random() * 36 ** 6).toString(36)} `
  return text.slice(0, length)
}

/** What the template makes of it. */
const promptOf = (messages: readonly ChatMessage[]) =>
  messages.map(({ role, content }) => `<${role}>${content}`).join('')

/** One who asks, waits for the answer, thinks, and asks on. What is said is the same whatever server answers. */
class Caller {
  readonly accountId: string
  readonly #random: () => number
  readonly #instructions: string
  readonly #turns: number
  readonly #thinkMs: number
  #messages: ChatMessage[] = []
  #asked = 0
  /** Where it waits for an answer. */
  server: PrefixCacheServer | null = null
  /** When its answer comes, or its next question. */
  nextAt: number

  constructor(index: number, { accounts, instructionLength, turns, thinkMs }: Workload) {
    this.accountId = `account-${index % accounts}`
    this.#random = seeded(index + 1)
    this.#instructions = words(seeded(1000 + (index % accounts)), instructionLength)
    this.#turns = turns
    this.#thinkMs = thinkMs
    this.nextAt = this.#random() * thinkMs
  }

  ask(): readonly ChatMessage[] {
    if (this.#asked % this.#turns === 0) this.#messages = [{ role: 'system', content: this.#instructions }]
    this.#asked += 1
    this.#messages.push({ role: 'user', content: words(this.#random, 100 + this.#random() * 400) })
    return this.#messages
  }

  /** The answer to what was asked. */
  hear(now: number): void {
    const prompt = promptOf(this.#messages)
    this.#messages.push({ role: 'assistant', content: words(this.#random, 200 + this.#random() * 800) })
    this.server?.write(prompt, promptOf(this.#messages).slice(prompt.length))
    this.server = null
    this.nextAt = now + this.#random() * 2 * this.#thinkMs
  }
}

const requests = 600

/** Prompt tokens that two servers compute for so many requests. A token takes 1 ms to read, an answer 500 ms to write. */
function recomputedTokens(route: Route, workload: Workload): number {
  const servers = ['a', 'b'].map(id => new PrefixCacheServer(id, 4))
  const callers = Array.from({ length: workload.callers }, (_, index) => new Caller(index, workload))
  for (let asked = 0; asked < requests; ) {
    const caller = callers.reduce((first, each) => (each.nextAt < first.nextAt ? each : first))
    const { server, nextAt: now } = caller
    if (server !== null) {
      server.inFlight -= 1
      caller.hear(now)
      continue
    }
    const messages = caller.ask()
    const chosen = route(servers, messages, caller.accountId)
    chosen.inFlight += 1
    caller.server = chosen
    caller.nextAt = now + chosen.read(promptOf(messages)) + 500
    asked += 1
  }
  return servers.reduce((sum, { recomputed }) => sum + recomputed, 0)
}

function roundRobin(): Route {
  let turn = 0
  return servers => servers[turn++ % servers.length] as PrefixCacheServer
}

/** By the picker. `seen` is what of the messages the prefix is made of. */
function picked(seen: ((messages: readonly ChatMessage[]) => readonly ChatMessage[]) | null, secret: string): Route {
  const random = seeded(0)
  return (servers, messages, accountId) => {
    const candidates = servers.map(server => ({
      id: server.id,
      slots: server.slots,
      inFlight: server.inFlight,
      weight: 1,
      share: 1,
      server,
    }))
    const body = { messages: seen?.(messages) ?? [] }
    const key = prefixKeyOf({ operation: 'chat', body, accountId }, secret)
    const candidate = pickTarget(candidates, random, findPreferred(candidates, key))
    assert.ok(candidate !== undefined)
    return candidate.server
  }
}
const byLoadAlone = (secret: string) => picked(null, secret)
const byPrefix = (secret: string) => picked(messages => messages, secret)
const byInstructions = (secret: string) =>
  picked(([system]) => (system === undefined ? [] : [system, { role: 'user', content: '' }]), secret)

/** Which conversation prefers which server is chance, by the secret: a figure is the mean of several. */
function meanTokens(route: (secret: string) => Route, workload: Workload): number {
  const secrets = ['one', 'two', 'three', 'four']
  const sum = secrets.reduce((total, secret) => total + recomputedTokens(route(secret), workload), 0)
  return Math.round(sum / secrets.length)
}

for (const [load, callers, thinkMs] of [
  ['little', 4, 5000],
  ['much', 6, 2000],
] as const) {
  test(`with ${load} to do, by prefix at most half as many prompt tokens are recomputed as in turn`, t => {
    const workload = { callers, thinkMs, accounts: 3, instructionLength: 1500, turns: 10 }
    const inTurn = meanTokens(roundRobin, workload)
    const byLoad = meanTokens(byLoadAlone, workload)
    const withAffinity = meanTokens(byPrefix, workload)
    t.diagnostic(`recomputed prompt tokens: ${inTurn} in turn, ${byLoad} by load alone, ${withAffinity} by prefix`)
    assert.ok(withAffinity <= inTurn / 2, `${withAffinity} of ${inTurn}`)
  })
}

test('conversations that share long instructions do better spread than kept together', t => {
  const workload = { callers: 6, thinkMs: 2000, accounts: 1, instructionLength: 8000, turns: 10 }
  const together = meanTokens(byInstructions, workload)
  const spread = meanTokens(byPrefix, workload)
  t.diagnostic(`recomputed prompt tokens: ${together} kept together, ${spread} spread`)
  assert.ok(spread < together, `${spread} of ${together}`)
})
