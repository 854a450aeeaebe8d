import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import { parseBody } from '../../src/domain/body-parse.ts'
import type { Operation } from '../../src/domain/field-policy.ts'
import { type CheckedFields, checkFields, findMaxTokens } from '../../src/domain/request-fields.ts'

const operations: readonly Operation[] = ['chat', 'completions', 'embeddings']

const check = (operation: Operation, body: object): CheckedFields =>
  checkFields(operation, parseBody(Buffer.from(JSON.stringify(body))))

const keptNames = (operation: Operation, body: object) => check(operation, body).keep.map(({ name }) => name)

describe('H08 fields of the engines', () => {
  const names = [
    ...['n_predict', 'n_discard', 'n_keep', 'id_slot', 'lora', 'cache_prompt', 'grammar', 'samplers', 'chat_template'],
    ...['timings_per_token', 'verbose', 'return_progress', 'ignore_eos', 'mirostat', 'mirostat_tau', 'dry_multiplier'],
    ...['guided_regex', 'guided_json', 'guided_anything_new', 'structured_outputs', 'logits_processors', 'cache_salt'],
    ...['vllm_xargs', 'kv_transfer_params', 'min_tokens', 'use_beam_search', 'repetition_penalty', 'prompt_embeds'],
    ...['options', 'keep_alive', 'num_ctx', 'num_predict', 'api_base', 'api_key', 'base_url', 'extra_headers'],
    ...['speculative.n_max', 'xtc_probability', 'json_schema', 'functions', 'function_call', 'multimodal_data'],
  ]
  for (const operation of operations) {
    test(`H08 each is refused by name: ${operation}`, () => {
      for (const name of names) {
        assert.throws(
          () => check(operation, { model: 'm', [name]: 1 }),
          { statusCode: 400, param: name, message: new RegExp(`^${name.replace('.', '\\.')} .+\\.$`) },
          name,
        )
      }
    })
  }

  test('H08 a field with a counterpart is told its name', () => {
    assert.throws(() => check('chat', { n_predict: 5 }), { message: /use `max_completion_tokens`/ })
    assert.throws(() => check('chat', { guided_json: {} }), { message: /belongs to the inference engine/ })
    assert.throws(() => check('chat', { functions: [] }), { message: /use `tools`/ })
  })

  test('H08 null is as if the field were not there', () => {
    assert.deepEqual(keptNames('chat', { grammar: null, temperature: null, functions: null, model: 'm' }), ['model'])
  })
})

describe('fields by operation', () => {
  test('what engines serve is kept in the order of the body', () => {
    const body = { stream: true, messages: [], top_k: 5, tools: [], model: 'm', chat_template_kwargs: {} }
    assert.deepEqual(keptNames('chat', body), Object.keys(body))
    assert.deepEqual(keptNames('completions', { prompt: 'x', suffix: 'y', logprobs: 1 }), [
      'prompt',
      'suffix',
      'logprobs',
    ])
    assert.deepEqual(keptNames('embeddings', { input: 'x', dimensions: 5 }), ['input', 'dimensions'])
  })

  test('what only OpenAI serves is taken, not kept, and not named', () => {
    const body = { model: 'm', user: 'u', store: true, metadata: {}, service_tier: 'auto', safety_identifier: 's' }
    assert.deepEqual(check('chat', body).ignored, [])
    assert.deepEqual(keptNames('chat', body), ['model'])
  })

  test('a field of another operation is not kept', () => {
    assert.deepEqual(check('embeddings', { input: 'x', temperature: 1 }).ignored, ['temperature'])
    assert.deepEqual(keptNames('embeddings', { input: 'x', temperature: 1 }), ['input'])
  })

  test('unknown fields are named, at most five, and only where the name is fit for a header', () => {
    const odd = { 'X-Evil\r\nSet-Cookie: a=b': 1, UPPER: 1, ['l'.repeat(41)]: 1, '': 1, é: 1, n1: 1 }
    assert.deepEqual(check('chat', { ...odd, foo_bar: 1 }).ignored, ['foo_bar'])
    const many = { alpha: 1, beta: 1, gamma: 1, delta: 1, epsilon: 1, zeta: 1 }
    assert.deepEqual(check('chat', many).ignored, ['alpha', 'beta', 'gamma', 'delta', 'epsilon'])
  })

  test('names of what every object inherits are unknown like any other', () => {
    for (const name of ['constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
      assert.deepEqual(keptNames('chat', { [name]: 1 }), [])
    }
  })
})

test('of two bounds on the answer the newer name wins', () => {
  assert.equal(findMaxTokens({ max_tokens: 5, max_completion_tokens: 3 }), 3)
  assert.equal(findMaxTokens({ max_tokens: 5, max_completion_tokens: null }), 5)
  assert.equal(findMaxTokens({ max_tokens: null }), undefined)
})
