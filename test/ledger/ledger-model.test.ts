import { test } from 'node:test'
import { checkNothingIsLost, checkWhatPowerCutsLeave } from '../support/ledger-model.ts'

test('whatever is appended, acknowledged and killed: every accepted event is stored, and nothing else', async t => {
  await checkNothingIsLost(t, 8)
})

test('torn anywhere by a power cut: what lies before the cut is stored, each as it was', async t => {
  await checkWhatPowerCutsLeave(t, 8)
})
