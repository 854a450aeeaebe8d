import { ok } from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { acceptedBy, checkKept, kill, startLedgerChild } from '../support/killed-ledger.ts'
import { openSpool } from '../support/ledger.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const kills = 25

test(`P01: ${kills} times killed at full speed, on one folder: 0 lost, 0 twice`, async t => {
  const folder = join(makeTempDir(t), 'ledger')
  const stored = new Set<string>()
  let accepted = 0
  for (let round = 0; round < kills; round += 1) {
    const child = startLedgerChild(t, folder)
    const lines = 500 + Math.floor(Math.random() * 4000)
    await eventually('it appends', () => child.said.length > lines, { withinMs: 30_000 })
    await kill(child)
    accepted += acceptedBy(child).intents.length
    const opened = await openSpool(t, { folder })
    for (const { id } of await checkKept(opened, child)) {
      ok(!stored.has(id), `${id} in round ${round} has been stored before`)
      stored.add(id)
    }
    await opened.spool.close()
  }
  ok(stored.size >= accepted && stored.size <= accepted + kills * 16, `${stored.size} of ${accepted}`)
})
