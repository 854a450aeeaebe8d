import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExperimentReportView } from '../../src/schemas/admin/experiments.ts'
import { adminOf, assertRefused } from '../support/admin.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { armsOf, experimentName, gatewayWithArms } from '../support/experiment-world.ts'
import { question, requestLine } from '../support/inference.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'
import { untilStored } from '../support/usage-reports.ts'

const path = `/experiments/${experimentName}`
const users = Array.from({ length: 24 }, (_, index) => `user-${index}`)

test('an experiment is looked at, ramped, paused, and ended with a winner, from the next request on', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await gatewayWithArms(t, backend)
  const admin = adminOf(gateway)
  const view = {
    object: 'experiment',
    name: experimentName,
    model: 'tinychat',
    stick_by: 'x-user',
    state: 'running',
    ramp_percent: 100,
    winner: null,
    arms: [
      { name: 'old', weight: 1 },
      { name: 'new', weight: 1 },
    ],
  }
  await eventually('the states are known', async () => (await admin.ask('GET', path)).status === 200)
  assert.deepEqual((await admin.get('GET', '/experiments'))['data'], [view])

  const ask = () => armsOf(gateway, backend, users)
  const everybody = await ask()
  assert.deepEqual(new Set(everybody), new Set(['old', 'new']))
  assert.deepEqual(await ask(), everybody)

  assert.deepEqual(await admin.get('PATCH', path, { ramp_percent: 40 }), { ...view, ramp_percent: 40 })
  const some = await ask()
  const few = (arms: readonly string[]) => arms.filter(arm => arm === 'new').length
  assert.ok(few(some) > 0 && few(some) < few(everybody), `${few(some)} of ${few(everybody)}`)
  for (const [index, arm] of some.entries()) assert.ok(arm === 'old' || everybody[index] === 'new')

  assert.deepEqual(await admin.get('PATCH', path, { state: 'paused' }), { ...view, state: 'paused', ramp_percent: 40 })
  assert.deepEqual(new Set(await ask()), new Set(['old']))
  await admin.get('PATCH', path, { state: 'running', ramp_percent: 100 })
  assert.deepEqual(await ask(), everybody)

  const ended = { ...view, state: 'ended', winner: 'new' }
  assert.deepEqual(await admin.get('PATCH', path, { state: 'ended', winner: 'new' }), ended)
  assert.deepEqual(new Set(await ask()), new Set(['new']))
  // What changes nothing is no change.
  for (const same of [{}, { state: 'ended' }, { winner: 'new' }]) {
    assert.deepEqual(await admin.get('PATCH', path, same), ended)
  }
  await admin.get('PATCH', path, { winner: 'old' })
  assert.deepEqual(new Set(await ask()), new Set(['old']))

  const { data } = await admin.get<{ data: Record<string, unknown>[] }>('GET', '/audit?target_kind=experiment')
  const snapshot = { name: experimentName, state: 'running', ramp_percent: 100, winner: null }
  assert.deepEqual(
    data.map(({ action, target, before, after }) => ({ action, target, before, after })).toReversed(),
    [
      { ...snapshot, ramp_percent: 40 },
      { ...snapshot, state: 'paused', ramp_percent: 40 },
      snapshot,
      { ...snapshot, state: 'ended', winner: 'new' },
      { ...snapshot, state: 'ended', winner: 'old' },
    ].map((after, index, all) => ({
      action: 'experiment.update',
      target: { kind: 'experiment', id: experimentName },
      before: index === 0 ? snapshot : all[index - 1],
      after,
    })),
  )
})

test('what cannot be is refused, and says where', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await gatewayWithArms(t, backend)
  const admin = adminOf(gateway)
  const refusals: [unknown, number, string | null][] = [
    [{ ramp_percent: 101 }, 400, 'ramp_percent'],
    [{ ramp_percent: -1 }, 400, 'ramp_percent'],
    [{ ramp_percent: 1.5 }, 400, 'ramp_percent'],
    [{ ramp_percent: '5' }, 400, 'ramp_percent'],
    [{ state: 'stopped' }, 400, 'state'],
    [{ rampPercent: 5 }, 400, 'rampPercent'],
    [{ state: 'ended' }, 400, 'winner'],
    [{ state: 'ended', winner: 'newest' }, 400, 'winner'],
    [{ winner: 'new' }, 400, 'winner'],
    [{ state: 'paused', winner: 'new' }, 400, 'winner'],
    ['x', 400, null],
  ]
  for (const [body, status, param] of refusals) assertRefused(await admin.ask('PATCH', path, body), status, param)
  for (const name of ['nobody', 'toString', '__proto__', "'%20or%201=1--"]) {
    assertRefused(await admin.ask('PATCH', `/experiments/${name}`, {}), 404, null, /no experiment/)
    assertRefused(await admin.ask('GET', `/experiments/${name}`), 404, null, /no experiment/)
  }
  await admin.get('PATCH', path, { state: 'ended', winner: 'new' })
  assertRefused(await admin.ask('PATCH', path, { state: 'running' }), 409, 'state', /another name/)
  assertRefused(await admin.ask('PATCH', path, { ramp_percent: 5 }), 409, 'ramp_percent')
  assertRefused(await admin.ask('PATCH', path, { winner: 'newest' }), 400, 'winner', /There are: old, new/)
})

test('changes at once all count, and none is lost from the log', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await gatewayWithArms(t, backend)
  const admin = adminOf(gateway)
  const percents = Array.from({ length: 20 }, (_, index) => index)
  const answers = await Promise.all(percents.map(percent => admin.ask('PATCH', path, { ramp_percent: percent })))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  type Entry = { readonly before: object; readonly after: { readonly ramp_percent: number } }
  const { data } = await admin.get<{ data: Entry[] }>('GET', `/audit?target_id=${experimentName}&limit=100`)
  assert.deepEqual(new Set(data.map(({ after }) => after.ramp_percent)), new Set(percents))
  for (const [index, { before }] of data.slice(0, -1).entries()) assert.deepEqual(before, data[index + 1]?.after)
  assert.equal((await admin.get('GET', path))['ramp_percent'], data[0]?.after.ramp_percent)
})

test('the report has what each arm has done; who does not take part is not in it', async t => {
  const failing = new Set(['tinychat-new'])
  const healthy = llamaServer({ dimensions: 4 })
  const backend = await startScriptedBackend(t, exchange => {
    const { model } = exchange.request.method === 'POST' ? JSON.parse(exchange.request.body.toString()) : { model: '' }
    return failing.has(model) ? exchange.json(500, { error: { message: 'out of memory' } }) : healthy(exchange)
  })
  const gateway = await gatewayWithArms(t, backend)
  const admin = adminOf(gateway)
  const untilCounted = (requests: number) =>
    eventually('all are counted', async () => {
      const report = await admin.get<ExperimentReportView>('GET', path)
      return report.arms.reduce((sum, arm) => sum + arm.requests, 0) === requests && report
    })
  await eventually('the states are known', async () => (await admin.ask('GET', path)).status === 200)
  const empty = await admin.get<ExperimentReportView>('GET', path)
  assert.deepEqual([empty.counted_by, empty.counted_since, empty.confidence], ['replica', null, 0.95])
  assert.deepEqual(empty.arms[0]?.error_rate, null)

  const arms = await armsOf(gateway, backend, users)
  await admin.get('PATCH', path, { ramp_percent: 0 })
  await armsOf(gateway, backend, users)
  await admin.get('PATCH', path, { state: 'paused', ramp_percent: 100 })
  await armsOf(gateway, backend, users)
  await gateway.openai.chat.completions.create({ ...question, model: 'other' })

  const report = await untilCounted(users.length)
  assert.ok(report)
  assert.ok(Math.abs(Date.parse(report.counted_since ?? '') - Date.now()) < 60_000)
  const [old, fresh] = report.arms
  const answered = arms.filter(arm => arm === 'old').length
  const failed = users.length - answered
  assert.ok(answered > 0 && failed > 0)
  assert.deepEqual([old?.requests, old?.errors, old?.participants], [answered, 0, answered])
  assert.deepEqual([fresh?.requests, fresh?.errors, fresh?.participants], [failed, failed, failed])
  assert.equal(old?.input_tokens, 16 * answered)
  assert.ok((old?.output_tokens ?? 0) > 0)
  assert.equal(fresh?.output_tokens, 0)
  assert.equal(old?.error_rate?.value, 0)
  assert.equal(fresh?.error_rate?.value, 1)
  assert.ok((old?.time_to_first_token_ms.p50?.value ?? 0) > 0)
  assert.deepEqual(fresh?.time_to_first_token_ms, { p50: null, p95: null })
  // The ledger has those of them that took part, of whatever replica, under the arm that has answered.
  const asked = 3 * users.length + 1
  await untilStored(gateway, admin, asked)
  const stored = await admin.get<ExperimentReportView>('GET', path)
  const costs = stored.arms.map(({ cost }) => cost)
  assert.equal(
    costs.reduce((sum, cost) => sum + Number(cost?.requests), 0),
    users.length,
  )
  for (const cost of costs) {
    assert.deepEqual([cost?.unpriced_requests, cost?.total, cost?.times_control], [cost?.requests, '0', null])
  }
  assert.deepEqual([old?.verdicts.error_rate, fresh?.verdicts.error_rate], [null, 'too_few'])

  const { text } = await gateway.app.meters.expose()
  const metric = (arm: string, outcome: string) =>
    new RegExp(
      `^weir_experiment_requests_total\\{experiment="${experimentName}",arm="${arm}",outcome="${outcome}"\\} (\\d+)$`,
      'm',
    ).exec(text)?.[1]
  assert.deepEqual([metric('old', 'ok'), metric('new', 'error')], [String(answered), String(failed)])
  const line = await requestLine(gateway)
  assert.deepEqual([line['experiment'], line['arm']], [experimentName, arms[0]])
})
