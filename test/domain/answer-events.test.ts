import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventsOf } from '../../src/domain/answer-events.ts'
import { Assembler } from '../../src/domain/assemble.ts'

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'grapheme', minLength: 2000, maxLength: 6000 }),
)
const toolCall = fc.record({
  id: fc.string(),
  type: fc.constant('function'),
  function: fc.record({ name: fc.string(), arguments: text }),
})
const logprobs = fc.record({
  content: fc.array(fc.record({ token: fc.string(), logprob: fc.double() }), { minLength: 1 }),
})
const message = fc.record(
  {
    role: fc.constant('assistant'),
    content: text,
    reasoning_content: text.filter(it => it !== ''),
    refusal: text.filter(it => it !== ''),
    tool_calls: fc.array(toolCall, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: ['role', 'content'] },
)
const reason = fc.constantFrom('stop', 'tool_calls')

function assembled(kind: 'chat' | 'completions', answer: Record<string, unknown>) {
  const assembler = new Assembler(kind)
  for (const event of eventsOf(kind, answer)) {
    assert.equal(event['id'], undefined)
    assembler.add(JSON.parse(JSON.stringify(event)))
  }
  assert.equal(assembler.isFinished, true)
  return assembler.result()
}

test('a stream that is made of an answer says all of it and nothing else', () => {
  const chatChoice = fc.record(
    { message, finish_reason: reason, logprobs },
    { requiredKeys: ['message', 'finish_reason'] },
  )
  const check = (choices: readonly object[]) => {
    const numbered = JSON.parse(JSON.stringify(choices.map((choice, index) => ({ index, ...choice }))))
    const answer = { id: 'x', created: 1, model: 'm', system_fingerprint: 'b1', choices: numbered }
    const { choices: said, system_fingerprint: fingerprint, object } = assembled('chat', answer)
    assert.deepEqual(said, numbered)
    assert.deepEqual([fingerprint, object], ['b1', 'chat.completion'])
  }
  fc.assert(fc.property(fc.array(chatChoice, { minLength: 1, maxLength: 3 }), check), { numRuns: 200 })
})

test('the same of a text completion', () => {
  const check = (texts: readonly string[]) => {
    const choices = texts.map((said, index) => ({ text: said, index, logprobs: null, finish_reason: 'stop' }))
    assert.deepEqual(assembled('completions', { choices })['choices'], choices)
  }
  fc.assert(fc.property(fc.array(text, { minLength: 1, maxLength: 3 }), check), { numRuns: 100 })
})

test('the first event says who speaks, and text comes in pieces that each are whole characters', () => {
  const content = `a${'😀'.repeat(3000)}`
  const events = eventsOf('chat', {
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  })
  const deltas = events.map(({ choices }) => (choices as { delta: { role?: string; content?: string } }[])[0]?.delta)
  assert.deepEqual(deltas[0], { role: 'assistant', content: '' })
  assert.equal(deltas.length, 5)
  for (const delta of deltas) assert.ok(delta?.content?.isWellFormed() ?? true)
})
