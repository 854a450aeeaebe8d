import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { adminKey } from '../support/gateway.ts'
import { costlyBodies, refusedBodies } from '../support/hostile-bodies.ts'
import { gatewayBefore } from '../support/inference.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

async function build(t: TestContext) {
  const backend = await startScriptedBackend(t)
  const { url, fetch } = await gatewayBefore(t, backend)
  const post = async (path: string, body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => {
    const authorization = `Bearer ${adminKey}`
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', ...headers },
      body,
    })
    const answer = (await response.json()) as { error: Record<string, unknown> }
    return { status: response.status, error: answer.error }
  }
  return { backend, post }
}

const paths = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings']

describe('H07 hostile bodies before the whole gateway', () => {
  test('H07 each is 400, in the form of every error, and reaches no backend', async t => {
    const { backend, post } = await build(t)
    for (const [name, buildBody] of Object.entries({ ...refusedBodies, ...costlyBodies })) {
      const body = new Uint8Array(buildBody())
      const { status, error } = await post(paths[0] ?? '', body)
      assert.equal(status, 400, name)
      assert.equal(error.type, 'invalid_request_error', name)
    }
    for (const path of paths) assert.deepEqual(backend.exchangesTo(path), [])
  })

  test('H07 a body over the limit is 413, a packed one 415', async t => {
    const { post } = await build(t)
    for (const path of paths) {
      const large = await post(path, new Uint8Array(9 * 1024 * 1024))
      assert.deepEqual([large.status, large.error.code], [413, 'request_too_large'])
      const packed = await post(path, new Uint8Array(10), { 'content-encoding': 'gzip' })
      assert.deepEqual([packed.status, packed.error.code], [415, 'unsupported_media_type'])
    }
  })
})
