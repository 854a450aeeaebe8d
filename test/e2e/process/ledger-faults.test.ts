import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../support/eventually.ts'
import { type LedgerWorld, startLedgerWorld } from '../../support/ledger-world.ts'
import { startOpenLoop } from '../../support/open-loop.ts'

const perSecond = 200
const gatewayBackends = `from pg_stat_activity where usename = 'gateway'`

interface Fault {
  /** Called several times while there is load. */
  readonly strike: (world: LedgerWorld) => Promise<unknown>
  readonly end?: (world: LedgerWorld) => Promise<unknown>
}

/** Every other statement that inserts ends so, in the database itself. */
const everyOther = (code: string): Fault => ({
  strike: async ({ query }) => {
    await query('create sequence if not exists strikes')
    await query('grant usage on sequence strikes to gateway')
    await query(`create or replace function strike() returns trigger language plpgsql as $$
      begin
        if nextval('strikes') % 2 = 0 then raise exception 'struck' using errcode = '${code}'; end if;
        return null;
      end $$`)
    await query(
      `create or replace trigger strike before insert on usage_hourly for each statement execute function strike()`,
    )
  },
  end: ({ query }) => query('drop trigger strike on usage_hourly'),
})

const faults: Readonly<Record<string, Fault>> = {
  '40P01, a deadlock': everyOther('40P01'),
  '40001, no serial order': everyOther('40001'),
  '57P01, its connections are ended': {
    strike: ({ query }) => query(`select pg_terminate_backend(pid) ${gatewayBackends}`),
  },
  '57014, its statements are cancelled': {
    strike: ({ query }) => query(`select pg_cancel_backend(pid) ${gatewayBackends}`),
  },
  '53300, it is let in no more': {
    strike: async ({ query }) => {
      await query('alter role gateway connection limit 0')
      await query(`select pg_terminate_backend(pid) ${gatewayBackends}`)
    },
    end: ({ query }) => query('alter role gateway connection limit -1'),
  },
}

test('P10 whatever the database says against a batch, it is tried again: nothing is lost or there twice', async t => {
  const world = await startLedgerWorld(t, { isAlone: true })
  for (const [name, { strike, end }] of Object.entries(faults)) {
    await t.test(name, async () => {
      const failures = () => world.metric('weir_ledger_failures_total')
      const before = await failures()
      const load = startOpenLoop(perSecond, () => world.embed())
      for (let strikes = 0; strikes < 15; strikes += 1) {
        await sleep(100)
        await strike(world)
      }
      await load.stop()
      await end?.(world)
      assert.deepEqual(new Set(load.samples.map(({ status }) => status)), new Set([200]))
      await world.assertAllStored()
      const failed = (await failures()) - before
      t.diagnostic(`${name}: ${load.samples.length} requests, ${failed} batches were tried again`)
      assert.ok(name.startsWith('57') || failed > 0, 'it was struck')
      assert.equal(await world.metric('weir_ledger_quarantined_total'), 0)
    })
  }
  await eventually('sums are those of the events', async () => {
    const [sums] = await world.query<{ requests: number }>('select sum(requests)::int as requests from usage_hourly')
    return sums?.requests === world.answered.length
  })
})

test('P04 50 times the answer to a batch is lost on its way: nothing is lost or there twice', async t => {
  const cuts = 50
  const world = await startLedgerWorld(t, { isProxied: true })
  const load = startOpenLoop(perSecond, () => world.embed())
  const failures = () => world.metric('weir_ledger_failures_total')
  for (let cut = 0; cut < cuts; cut += 1) {
    // What is under way has its end at the next byte that comes back: the database has done it by then.
    world.proxy.limitData(1, 'to-client')
    await sleep(60)
    world.proxy.clear()
    await sleep(60)
  }
  await load.stop()
  assert.deepEqual(new Set(load.samples.map(({ status }) => status)), new Set([200]))
  await world.assertAllStored()
  const failed = await failures()
  assert.ok(failed > 0, 'some were lost')
  t.diagnostic(`${load.samples.length} requests, ${failed} batches were tried again`)
})
