import assert from 'node:assert/strict'
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { UsageEvent } from '../../../src/domain/usage-event.ts'
import { decodeFrames, encodeFrame } from '../../../src/ledger/frame.ts'
import { encodeFinal, parseRecord } from '../../../src/ledger/ledger-record.ts'
import { segmentPath } from '../../../src/ledger/segment-folder.ts'
import { eventually } from '../../support/eventually.ts'
import { type LedgerWorld, startLedgerWorld } from '../../support/ledger-world.ts'
import { makeUsageEvent } from '../../support/usage.ts'

const requests = 60

/** A gateway that was killed while its database was away: what its callers used is in one file. */
async function killedWithUsage(t: TestContext) {
  const world = await startLedgerWorld(t, { isAlone: true })
  await world.postgres.kill()
  for (let n = 0; n < requests; n += 1) assert.equal(await world.embed(), 200)
  await eventually('all wait', async () => (await world.metric('weir_ledger_waiting')) === requests)
  await world.kill()
  return { world, segment: segmentPath(world.ledgerFolder, 1) }
}

async function startAgain(world: LedgerWorld): Promise<void> {
  await world.postgres.start()
  await world.start()
  const isDone = async () => (await world.metric('weir_ledger_waiting')) === 0
  await eventually('nothing waits', isDone, { withinMs: 20_000, everyMs: 50 })
}

const requestIdsOf = (bytes: Buffer) =>
  decodeFrames(bytes).frames.flatMap(frame => {
    const record = parseRecord(frame)
    return record.kind === 'final' ? [record.event.requestId] : []
  })

test('P07 damaged while it was down: what is before the damage is stored, the rest kept aside and told', async t => {
  const { world, segment } = await killedWithUsage(t)
  const bytes = readFileSync(segment)
  const at = Math.floor(bytes.length / 2)
  const sound = requestIdsOf(bytes.subarray(0, at))
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(segment, bytes)
  await startAgain(world)

  const stored = await world.stored()
  assert.deepEqual(new Set(stored.flatMap(row => (row.status === 'ok' ? [row.request_id] : []))), new Set(sound))
  assert.ok(sound.length > requests / 3 && sound.length < requests)
  // Of one whose end is behind the damage at most the beginning is known.
  const unknown = stored.filter(({ status }) => status === 'unknown').length
  assert.ok(unknown <= 1 && stored.length === sound.length + unknown)
  const line = await eventually('it is told', () => world.gateway.logs().find(({ msg }) => msg === 'ledger: damage'))
  assert.match(JSON.stringify(line), /checksum|length|not whole/)
  assert.equal(await world.metric('weir_ledger_lost_total'), 1, 'how many are lost nobody knows: one place is damaged')
  const [kept] = readdirSync(join(world.ledgerFolder, 'quarantine')).filter(name => name !== 'rows.jsonl')
  assert.ok(kept !== undefined && JSON.stringify(line).includes(kept))
  const lost = world.answered.filter(id => !sound.includes(id))
  const aside = readFileSync(join(world.ledgerFolder, 'quarantine', kept)).toString('latin1')
  assert.ok(
    lost.slice(1).every(id => aside.includes(id)),
    'all of them are in the file',
  )
  assert.equal(await world.embed(), 200)
})

test('P05 rows that no database takes are set aside with a reason, and all others are stored', async t => {
  const { world, segment } = await killedWithUsage(t)
  const requestIds = ['nul', 'surrogate', 'many', 'negative', 'clock']
  const base = { atMs: Date.now() }
  const bad: readonly UsageEvent[] = [
    makeUsageEvent({ ...base, requestId: 'nul', target: 'a\u0000b' }),
    makeUsageEvent({ ...base, requestId: 'surrogate', target: 'a\ud800b' }),
    makeUsageEvent({ ...base, requestId: 'many', outputTokens: 1e30 }),
    makeUsageEvent({ ...base, requestId: 'negative', costNanoUsd: Number.NaN }),
    makeUsageEvent({ requestId: 'clock', atMs: Date.UTC(1999, 0) }),
  ]
  for (const event of bad) appendFileSync(segment, encodeFinal(event))
  appendFileSync(segment, encodeFinal(makeUsageEvent({ ...base, requestId: 'large', outputTokens: 2 ** 31 })))
  appendFileSync(segment, encodeFrame(99, '{"id":"from a newer version"}'))
  appendFileSync(segment, encodeFrame(2, 'no json'))
  await startAgain(world)

  const stored = new Set((await world.stored()).map(({ request_id }) => request_id))
  assert.deepEqual(stored, new Set([...world.answered, 'large']))
  const lines = readFileSync(join(world.ledgerFolder, 'quarantine', 'rows.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
  const rows = lines.map(line => JSON.parse(line) as { reason: string; row: string | UsageEvent })
  assert.ok(rows.every(({ reason }) => reason.length > 0))
  const ids = rows.flatMap(({ row }) => (typeof row === 'string' ? [] : [row.requestId]))
  assert.deepEqual([ids.length, new Set(ids)], [requestIds.length, new Set(requestIds)])
  assert.deepEqual(
    rows.flatMap(({ row }) => (typeof row === 'string' ? [row] : [])),
    ['{"id":"from a newer version"}', 'no json'],
  )
  assert.equal(await world.metric('weir_ledger_quarantined_total'), rows.length)
  // The log is written some times a second.
  await eventually('it is told', () =>
    world.gateway.logs().some(({ msg }) => /events that cannot be stored are in quarantine/.test(String(msg))),
  )
  assert.equal(await world.embed(), 200)
  await eventually('it goes on', async () => (await world.stored()).length === requests + 2)
})
