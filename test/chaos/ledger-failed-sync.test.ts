import assert from 'node:assert/strict'
import { existsSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { segmentPath } from '../../src/ledger/segment-folder.ts'
import { eventually } from '../support/eventually.ts'
import { makeFailingSync } from '../support/failing-sync.ts'
import { type LedgerWorld, startLedgerWorld } from '../support/ledger-world.ts'
import { makeTempDir } from '../support/temp-dir.ts'

async function embed(world: LedgerWorld, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) assert.equal(await world.embed(), 200)
  await eventually('they have ended', async () => (await world.metric('weir_ledger_open')) === 0)
}

test('P08 after a failed fsync its segment is not trusted any more: what may be lost of it stands in another one', async t => {
  const folder = makeTempDir(t)
  const first = segmentPath(join(folder, '.weir', 'ledger'), 1)
  const disk = makeFailingSync(t, first)
  const world = await startLedgerWorld(t, { isAlone: true, folder, env: disk.env, nodeFlags: disk.nodeFlags })
  await embed(world, 1)
  await world.assertAllStored()
  await world.postgres.kill()
  await embed(world, 5)
  await eventually('the file is synced', () => disk.calls().length > 0)

  disk.fail()
  await embed(world, 10)
  await eventually('it is told', () =>
    world.gateway
      .logs()
      .some(line => line['msg'] === 'ledger: segment distrusted' && JSON.stringify(line).includes('EIO')),
  )
  assert.equal(await world.metric('weir_ledger_disk_failures_total'), 1)
  await eventually('there is another', () => existsSync(segmentPath(world.ledgerFolder, 2)))
  await embed(world, 10)
  assert.equal(disk.calls().filter(({ result }) => result === 'EIO').length, 1, 'it is not asked again')
  await world.kill()
  // What the disk has of it: the kernel drops what it could not write.
  truncateSync(first, disk.calls().findLast(({ result }) => result === 'ok')?.bytes)

  await world.postgres.start()
  await world.start()
  await world.assertAllStored()
  assert.equal(world.answered.length, 26)
  assert.deepEqual(new Set((await world.stored()).map(({ status }) => status)), new Set(['ok']))
  assert.equal(await world.metric('weir_ledger_lost_total'), 0)
})
