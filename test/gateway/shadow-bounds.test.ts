/** How much copies may take, and of what. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorAnswer, hangsUp, pausesAfter } from '../support/behaviours.ts'
import { chat } from '../support/completion.ts'
import { llamaServer, vllmServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import type { Exchange } from '../support/exchange.ts'
import { answerTokens, copiesAre, shadowed, startShadowWorld, tallied } from '../support/shadow-world.ts'

const chatPath = '/v1/chat/completions'
/** Begins to answer when `until` is fulfilled. */
const after = (until: Promise<unknown>) =>
  vllmServer({ chat: pausesAfter(0, until, { engine: 'vllm', tokens: answerTokens.trial }) })

test('copies take what nobody else wants, and no more than a few', async t => {
  const world = await startShadowWorld(t, {
    backends: {
      main: { slots: 3 },
      trial: { slots: 2 },
      wide: {},
      watched: { slots: 2, breaker: { window: 1, least: 1, pause: '20ms', maxPause: '20ms' } },
    },
    models: {
      ...shadowed('own', 'main', 'trial'),
      ...shadowed('shared', 'main', 'main'),
      ...shadowed('many', 'main', 'wide'),
      ...shadowed('probing', 'main', 'watched'),
      direct: { targets: [{ backend: 'watched' }] },
    },
  })
  const { gateway, main, trial } = world
  const askTimes = async (times: number, model: string) => {
    for (let index = 0; index < times; index += 1) await (await world.stream('user', model)).text()
  }

  await t.test('they save up no retries', async () => {
    await askTimes(10, 'probing')
    await copiesAre(world, 'probing', 'ok', 10)
    trial.use(vllmServer({ chat: errorAnswer(503, {}, [['Retry-After', '0.01']]) }))
    const before = world.asked(trial).length
    for (let call = 0; call < 3; call += 1) assert.equal((await world.stream('user', 'direct')).status, 503)
    // Three retries are there at the start; ten more calls would have saved up two more.
    assert.equal(world.asked(trial).length - before, 3 + 3)
  })

  await t.test('none goes through a breaker that is not closed, not even to try it', async () => {
    trial.use(vllmServer({ chat: hangsUp('reset') }))
    assert.equal((await world.stream('user', 'direct')).status, 502)
    await eventually('the pause is over', async () => {
      const breaker = await world.breakerOf('watched')
      return breaker?.state === 'open' && breaker.retry_in_ms === 0
    })
    const before = world.asked(trial).length
    await askTimes(1, 'probing')
    await copiesAre(world, 'probing', 'dropped', 1)
    assert.deepEqual([world.asked(trial).length, (await world.breakerOf('watched'))?.state], [before, 'open'])
    trial.use(world.healthy)
    await askTimes(1, 'direct')
    assert.equal((await world.breakerOf('watched'))?.state, 'closed')
    await askTimes(1, 'probing')
    await copiesAre(world, 'probing', 'ok', 11)
  })

  await t.test('what finds no slot is dropped; a server of their own they may fill', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    trial.use(after(promise))
    await askTimes(3, 'own')
    await copiesAre(world, 'own', 'dropped', 1)
    resolve()
    await copiesAre(world, 'own', 'ok', 2)
    await tallied(world, 'own', {
      control: [3, 0, 3 * answerTokens.main],
      trial: [2, 0, 2 * answerTokens.trial],
    })
  })

  await t.test('where callers are served as well, the last free slot is theirs', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const answer = chat({ tokens: answerTokens.main })
    const held = pausesAfter(0, promise, { tokens: answerTokens.main })
    const isCopy = ({ request }: Exchange) => request.body.includes('trial-model')
    main.use(llamaServer({ chat: exchange => (isCopy(exchange) ? held : answer)(exchange) }))
    await askTimes(2, 'shared')
    // The second caller has one of three slots, the first one's copy another.
    await copiesAre(world, 'shared', 'dropped', 1)
    resolve()
    await copiesAre(world, 'shared', 'ok', 1)
  })

  await t.test('there are sixteen at once', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    trial.use(after(promise))
    await askTimes(18, 'many')
    await copiesAre(world, 'many', 'dropped', 2)
    resolve()
    await copiesAre(world, 'many', 'ok', 16)
  })

  await t.test('a copy goes on when its caller leaves', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    main.use(llamaServer({ chat: pausesAfter(1, promise) }))
    trial.use(after(promise))
    const [atMain, atTrial] = [main.exchangesTo(chatPath).length, trial.exchangesTo(chatPath).length]
    const leaving = new AbortController()
    const response = await world.stream('user', 'own', leaving.signal)
    assert.equal(response.status, 200)
    const theirs = await eventually('both have come', () => {
      const [control, copy] = [main.exchangesTo(chatPath)[atMain], trial.exchangesTo(chatPath)[atTrial]]
      return control && copy ? { control, copy } : null
    })
    assert.ok(theirs)
    leaving.abort()
    await theirs.control.closed
    await eventually('the caller has gone', () => gateway.app.drain.running === 0)
    assert.ok(theirs.copy.isOpen)
    resolve()
    await copiesAre(world, 'own', 'ok', 3)
    assert.deepEqual((await world.tallies('own'))['trial'], [3, 0, 3 * answerTokens.trial])
  })

  await t.test('a copy is finished on a server that another configuration has no more', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    main.use(llamaServer())
    trial.use(after(promise))
    const before = trial.exchangesTo(chatPath).length
    await askTimes(1, 'many')
    const copy = await eventually('it has come', () => trial.exchangesTo(chatPath)[before])
    await world.reload({})
    const seen = await world.admin.get<{ data: { name: string }[] }>('GET', '/backends')
    assert.deepEqual(
      seen.data.map(({ name }) => name),
      ['main', 'trial'],
    )
    assert.ok(copy?.isOpen)
    resolve()
    await copiesAre(world, 'many', 'ok', 17)
  })
})
