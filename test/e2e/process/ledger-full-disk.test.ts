import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { onEnd } from '../../support/cleanup.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { startLedgerWorld } from '../../support/ledger-world.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

const mebibyte = 1024 * 1024

/** A disk of this size; to mount one takes root, as in a container. */
function makeDisk(t: TestContext, bytes: number): string {
  const path = makeTempDir(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0700`, 'tmpfs', path])
  onEnd(t, () => execFileSync('umount', ['--lazy', path]))
  return path
}

/** Takes this much of it, or all that there is. */
function fill(path: string, bytes: number): void {
  const file = openSync(path, 'a')
  try {
    for (let left = bytes; left > 0; ) left -= writeSync(file, Buffer.alloc(Math.min(left, 65_536)))
  } catch (error) {
    assert.equal(error instanceof Error && 'code' in error && error.code, 'ENOSPC')
  } finally {
    closeSync(file)
  }
}

test('P06 on a disk that really is full the lowest tier is refused first, nothing is lost, and it recovers', async t => {
  const disk = makeDisk(t, 32 * mebibyte)
  const world = await startLedgerWorld(t, {
    env: { WEIR_DATA_DIR: join(disk, 'data') },
    more: { ledger: { highFree: '12MiB', fullFree: '0B' } },
  })
  const [free, enterprise] = [await world.key('free'), await world.key('enterprise')]
  const level = () => world.metric('weir_ledger_level')
  assert.deepEqual([await world.embed(free), await world.embed(enterprise)], [200, 200])

  const ballast = join(disk, 'ballast')
  fill(ballast, 24 * mebibyte)
  await eventually('there is little room', async () => (await level()) === 1)
  assert.deepEqual([await world.embed(free), await world.embed(enterprise)], [503, 200])

  const gate = Promise.withResolvers<void>()
  const healthy = llamaServer({ dimensions: 4 })
  world.backend.use(async exchange => {
    await gate.promise
    await healthy(exchange)
  })
  const asked = world.backend.exchangesTo('/v1/embeddings').length
  const running = Array.from({ length: 8 }, () => world.embed(enterprise))
  await eventually('they run', () => world.backend.exchangesTo('/v1/embeddings').length === asked + running.length)
  fill(ballast, 64 * mebibyte)
  gate.resolve()
  // A page that is begun takes some more.
  await eventually('it is full', async () => (await world.embed(enterprise)) === 503, { withinMs: 20_000, everyMs: 0 })
  assert.deepEqual(
    await Promise.all(running),
    running.map(() => 200),
    'who was let in is served',
  )
  assert.equal(await world.embed(free), 503)
  assert.equal(await level(), 2)

  rmSync(ballast)
  await eventually('there is room again', async () => (await level()) === 0)
  assert.deepEqual([await world.embed(free), await world.embed(enterprise)], [200, 200])
  await world.assertAllStored()
  assert.equal(await world.metric('weir_ledger_lost_total'), 0)
  assert.deepEqual(world.gateway.stderr, [])
  t.diagnostic(`${world.answered.length} answered and stored`)
})
