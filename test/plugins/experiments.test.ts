import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildRealApp } from '../architecture/app.ts'
import { armsYaml, experimentName } from '../support/experiment-world.ts'
import { adminKey } from '../support/gateway.ts'

test('as long as the database has not been read nobody is told that an experiment runs, or does not', async t => {
  const { app } = await buildRealApp(t, { WEIR_ADMIN_KEY: adminKey }, armsYaml('http://127.0.0.1:1'))
  const headers = { authorization: `Bearer ${adminKey}` }
  assert.equal(app.experiments.states.find(experimentName), null)
  const requests = [
    ['GET', '/admin/experiments'],
    ['GET', `/admin/experiments/${experimentName}`],
    ['PATCH', `/admin/experiments/${experimentName}`],
  ] as const
  for (const [method, url] of requests) {
    const answer = await app.inject({
      method,
      url,
      headers,
      ...(method === 'PATCH' && { payload: { state: 'paused' } }),
    })
    assert.equal(answer.statusCode, 503, url)
    assert.equal(answer.json().error.code, 'database_unavailable')
  }
})
