import { ok, rejects, strictEqual } from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { LedgerBusyError } from '../../src/ledger/ledger-lock.ts'
import { eventually } from '../support/eventually.ts'
import { checkKept, kill, startLedgerChild } from '../support/killed-ledger.ts'
import { openSpool } from '../support/ledger.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const folderOf = (t: TestContext) => join(makeTempDir(t), 'ledger')

test('P09 P11: one process at a time; killed, it loses nothing that it was told is kept', async t => {
  const folder = folderOf(t)
  const child = startLedgerChild(t, folder)
  await eventually('it appends', () => child.said.length > 1000, { withinMs: 20_000 })
  await t.test('a second process is refused by name', async () => {
    const second = startLedgerChild(t, folder)
    const complaint = await second.ended
    strictEqual(second.process.exitCode, 1)
    ok(complaint.includes('LedgerBusyError') && complaint.includes(folder) && complaint.includes('WEIR_DATA_DIR'))
    await rejects(openSpool(t, { folder }), LedgerBusyError)
  })
  await kill(child)
  await checkKept(await openSpool(t, { folder }), child)
})

test('P06: a real limit on the size of files refuses no more than what came then', async t => {
  const folder = folderOf(t)
  // In blocks of 512 bytes.
  const child = startLedgerChild(t, folder, 'ulimit -f 100')
  await eventually(
    'it has met the limit and gone on',
    () => {
      const first = child.said.indexOf('full')
      return first > 0 && child.said.length > first + 500
    },
    { withinMs: 20_000 },
  )
  await kill(child)
  await checkKept(await openSpool(t, { folder }), child)
})
