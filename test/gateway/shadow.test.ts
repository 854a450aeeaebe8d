/** Shadow mode as callers see it: not at all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assign, buildExperiment, initialState } from '../../src/domain/experiment.ts'
import { errorAnswer, garbage, hangsUp, neverAnswers, pausesAfter } from '../support/behaviours.ts'
import { llamaServer, vllmServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { question } from '../support/inference.ts'
import { answerTokens, copiesAre, shadowed, startShadowWorld, tallied } from '../support/shadow-world.ts'

const users = Array.from({ length: 12 }, (_, index) => `user-${index}`)
const arms = ['control', 'trial'].map(arm => ({ arm, weight: 1 }))
const experiment = buildExperiment({ name: 'tinychat', stickBy: 'x-user', shadow: true }, arms)
/** How many of the users have copies at `trial`: as every replica thinks. */
const copies = users.filter(user => {
  assert.ok(experiment)
  return assign(experiment, initialState, `header\n${user}`).copyArm === 'trial'
}).length

test('callers have the control, other arms have copies, and nobody but the experiment learns of them', async t => {
  const tokens = { tokensPerDay: 100_000, requestsPerDay: 1000 }
  const world = await startShadowWorld(t, {
    models: {
      ...shadowed('later', 'main', 'trial'),
      lost: { targets: [{ backend: 'gone' }], fallback: 'tinychat' },
    },
    backends: { gone: { drain: true } },
    tiers: { counted: { limits: tokens } },
  })
  const { gateway, admin, main, trial } = world

  await t.test('a copy goes to the other arm under its own name, as a stream where the caller has one', async () => {
    for (const user of users) assert.equal((await world.ask(user)).model, 'tinychat')
    assert.ok(copies > 0 && copies < users.length, `${copies} copies`)
    await copiesAre(world, 'tinychat', 'ok', copies)
    for (const user of users) assert.match(await (await world.stream(user)).text(), /data: \[DONE\]\n\n$/)
    assert.deepEqual(world.asked(main), Array(24).fill('tinychat'))
    await copiesAre(world, 'tinychat', 'ok', 2 * copies)
    assert.deepEqual(
      world.bodiesAt(trial).map(({ model, stream }) => [model, stream]),
      Array.from({ length: 2 * copies }, (_, index) => ['trial-model', index >= copies]),
    )
  })

  await t.test('each arm is tallied, the control with all of them; no figure of callers has the copies', async () => {
    await tallied(world, 'tinychat', {
      control: [24, 0, 24 * answerTokens.main],
      trial: [2 * copies, 0, 2 * copies * answerTokens.trial],
    })
    const report = await world.reportOf('tinychat')
    for (const { time_to_first_token_ms: first, inter_token_latency_ms: between } of report.arms) {
      assert.ok(first.p50 !== null && first.p50.value > 0 && between.p50 !== null)
    }
    assert.equal(await world.metric('weir_tokens_total', { operation: 'chat', kind: 'output' }), 24 * answerTokens.main)
    assert.equal(await world.metric('weir_requests_total', { operation: 'chat', status: 200 }), 24)
    const text = await (await gateway.fetch(`${gateway.url}/metrics`)).text()
    const waits = [...text.matchAll(/^weir_queue_wait_seconds_count\{.*\} (\d+)$/gm)].map(([, count]) => Number(count))
    assert.deepEqual(waits, [24])
    const lines = gateway.logLines.filter(({ msg, arm }) => msg === 'request' && arm !== undefined)
    assert.deepEqual([lines.length, new Set(lines.map(({ arm }) => arm))], [24, new Set(['control'])])
    assert.ok(lines.every(({ outputTokens, attempts }) => outputTokens === answerTokens.main && attempts === 1))
  })

  await t.test('vectors are copied as well, in one piece whatever the body says', async () => {
    for (const user of users) {
      const body = { model: 'tinychat', input: 'hi', stream: true }
      const answer = await gateway.openai.embeddings.create(body, { headers: { 'x-user': user } })
      assert.equal(answer.data[0]?.embedding.length, 4)
    }
    await copiesAre(world, 'tinychat', 'ok', 3 * copies)
    assert.equal(trial.exchangesTo('/v1/embeddings').length, copies)
  })

  await t.test('limits count the caller’s request alone', async () => {
    const made = await admin.ask('POST', '/accounts', { name: 'acme', tier: 'counted' })
    assert.equal(made.status, 201)
    const { key } = await admin.get<{ key: string }>('POST', '/keys', { account: 'acme', name: 'one' })
    const caller = gateway.openai.withOptions({ apiKey: key })
    const before = world.asked(trial).length
    let used = 0
    for (const user of users) {
      const answer = await caller.chat.completions.create(question, { headers: { 'x-user': user } })
      used += answer.usage?.total_tokens ?? 0
    }
    await copiesAre(world, 'tinychat', 'ok', 4 * copies)
    assert.equal(world.asked(trial).length - before, copies)
    await eventually('it is settled', async () => {
      const headers = { authorization: `Bearer ${key}` }
      const response = await gateway.fetch(`${gateway.url}/v1/usage/limits`, { headers })
      const { data } = (await response.json()) as { data: { name: string; used: number }[] }
      const usedOf = Object.fromEntries(data.map(({ name, used }) => [name, used]))
      assert.deepEqual(usedOf, { tokens_per_day: used, requests_per_day: users.length })
      return true
    })
  })

  await t.test('a server of copies that fails changes nothing for callers, nor for its breaker', async () => {
    // What fails on a connection that was kept is sent once more on a fresh one, within the same try: here there are none.
    await trial.stop()
    await trial.start()
    const before = world.asked(trial).length
    const failures = [hangsUp('reset'), hangsUp('fin'), errorAnswer(500, {}), garbage()]
    for (const [index, chat] of failures.entries()) {
      trial.use(vllmServer({ chat }))
      for (const user of users) {
        if (index % 2 === 0) await world.ask(user)
        else assert.match(await (await world.stream(user)).text(), /data: \[DONE\]\n\n$/)
      }
      await copiesAre(world, 'tinychat', 'error', (index + 1) * copies)
      assert.equal((await world.breakerOf('trial'))?.state, 'closed')
    }
    // One try each: nothing is tried again.
    assert.equal(world.asked(trial).length - before, failures.length * copies)
    await trial.stop()
    for (const user of users) await world.ask(user)
    await copiesAre(world, 'tinychat', 'error', (failures.length + 1) * copies)
    assert.equal((await world.breakerOf('trial'))?.state, 'closed')
    await trial.start()
    trial.use(world.healthy)
    await eventually('the failures are tallied', async () => {
      const { control, trial: tally } = await world.tallies('tinychat')
      assert.deepEqual(
        [control?.slice(0, 2), tally?.slice(0, 2)],
        [
          [9 * users.length, 0],
          [9 * copies, 5 * copies],
        ],
      )
      return true
    })
  })

  await t.test(
    'whoever cannot have the control has no other arm, whether it is asked for or fallen back to',
    async () => {
      const before = world.asked(trial).length
      for (const user of users) assert.equal((await world.ask(user, 'lost')).model, 'lost')
      assert.equal(world.asked(trial).length, before)
      await admin.get('PATCH', '/backends/main', { drained: true })
      for (const user of users) await assert.rejects(world.ask(user), { status: 503 })
      await copiesAre(world, 'tinychat', 'ok', 5 * copies)
      assert.equal(world.asked(trial).length, before + copies)
      await admin.get('PATCH', '/backends/main', { drained: false })
    },
  )

  await t.test('paused there are no copies; ended callers have the winner', async () => {
    await world.ask('user-0', 'later')
    await copiesAre(world, 'later', 'ok', 1)
    await admin.get('PATCH', '/experiments/later', { state: 'paused' })
    const [atMain, atTrial] = [world.asked(main).length, world.asked(trial).length]
    for (const user of users) await world.ask(user, 'later')
    assert.deepEqual([world.asked(main).length - atMain, world.asked(trial).length], [users.length, atTrial])
    await admin.get('PATCH', '/experiments/later', { state: 'ended', winner: 'trial' })
    for (const user of users)
      assert.equal((await world.ask(user, 'later')).usage?.completion_tokens, answerTokens.trial)
    assert.deepEqual([world.asked(main).length - atMain, world.asked(trial).length - atTrial], [12, 12])
    await tallied(world, 'later', { control: [1, 0, answerTokens.main], trial: [1, 0, answerTokens.trial] })
  })

  await t.test('closing ends a copy that hangs, and is not held up by it', async () => {
    trial.use(vllmServer({ chat: neverAnswers() }))
    const before = world.asked(trial).length
    for (const user of users) await world.ask(user)
    await eventually('copies hang', () => world.asked(trial).length === before + copies)
    const hanging = trial.exchangesTo('/v1/chat/completions').slice(before)
    const { promise, resolve } = Promise.withResolvers<void>()
    main.use(llamaServer({ chat: pausesAfter(1, promise) }))
    const caller = await world.stream('user-0')
    const closed = gateway.app.close()
    // While a caller still has its answer to come.
    await eventually('copies are ended', () => hanging.every(({ isOpen }) => !isOpen)).finally(resolve)
    for (const closing of await Promise.all(hanging.map(copy => copy.closed))) {
      assert.deepEqual([closing.by, closing.finished], ['client', false])
    }
    assert.match(await caller.text(), /data: \[DONE\]\n\n$/)
    await closed
  })
})
