import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBalancedWorld } from '../../support/balanced-world.ts'
import { type Balancer, startHaproxy, startNginx } from '../../support/balancers.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { sdkFor, startCounting, startSdkLoad, tokens } from './sdk-load.ts'

const perDay = 200

/** Which replicas have answered what a balancer has let through so far. */
const repliers = (balancer: Balancer, from = 0) =>
  new Set(
    balancer
      .accessLog()
      .slice(from)
      .flatMap(({ status, replica }) => (status === 200 ? [String(replica)] : [])),
  )

test('both replicas behind nginx and HAProxy are restarted under mixed load: no request fails, no stream is cut, limits hold to the request', async t => {
  const world = await startBalancedWorld(t, {
    count: 2,
    behaviour: llamaServer({ dimensions: 4, answer: { tokens, everyMs: 25 } }),
    tiers: { open: {}, daily: { limits: { requestsPerDay: perDay } } },
    // Of what is shipped, and longer than nginx keeps an idle connection.
    env: { MIN_DRAIN: '5s' },
  })
  const [first, second] = world.replicas
  assert.ok(first !== undefined && second !== undefined)
  const balancers = [await startNginx(t, [first, second]), await startHaproxy(t, [first, second])]
  const [open, daily] = [await world.key('open'), await world.key('daily')]
  const loads = balancers.map(({ url }) => startSdkLoad(sdkFor(url, open), { stream: 5, whole: 3, embedding: 3 }))
  const counting = balancers.map(({ url }) => startCounting(sdkFor(url, daily), 40))

  for (const balancer of balancers)
    await eventually(`${balancer.kind} has asked both`, () => repliers(balancer).size === 2)
  for (const replica of [first, second]) {
    const pid = replica.gateway.pid
    await replica.restart()
    assert.notEqual(replica.gateway.pid, pid)
    const marks = balancers.map(balancer => balancer.accessLog().length)
    for (const [index, balancer] of balancers.entries())
      await eventually(`${balancer.kind} asks both again`, () => repliers(balancer, marks[index]).size === 2)
  }

  await Promise.all(loads.map(load => load.stop()))
  await eventually('the limit has been reached', () => counting.every(({ denied }) => denied > 0), { withinMs: 10_000 })
  await Promise.all(counting.map(each => each.stop()))
  for (const [index, { done, failures }] of loads.entries()) {
    const { kind, complaints } = balancers[index] ?? assert.fail()
    assert.deepEqual(failures, [], `${kind}:\n${complaints()}`)
    for (const count of Object.values(done)) assert.ok(count >= 50, `${kind}: ${JSON.stringify(done)}`)
    t.diagnostic(`${kind}: ${JSON.stringify(done)}`)
  }
  assert.deepEqual(
    counting.flatMap(({ failures }) => failures),
    [],
  )
  const admitted = counting.reduce((sum, each) => sum + each.admitted, 0)
  assert.equal(admitted, perDay, 'what one server would have admitted')
})
