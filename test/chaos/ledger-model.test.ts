import { test } from 'node:test'
import { checkNothingIsLost, checkWhatPowerCutsLeave } from '../support/ledger-model.ts'

test('400 lives of a ledger: nothing is lost', async t => {
  await checkNothingIsLost(t, 400)
})

test('400 lives of a ledger with power cuts: what lies before the cuts is not lost', async t => {
  await checkWhatPowerCutsLeave(t, 400)
})
