import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'undici'
import { EngineProbe } from '../../src/backend/engine-probe.ts'
import { Fault } from '../../src/backend/fault.ts'
import { failedKindOf, isBackendsFault } from '../../src/backend/fault-class.ts'
import { neverAnswers } from '../support/behaviours.ts'
import { onEnd } from '../support/cleanup.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

test('a probe that is not answered in time says nothing against the backend, and nothing was sent to it', async t => {
  const { url } = await startScriptedBackend(t, neverAnswers())
  const client = new Client(url)
  onEnd(t, () => client.destroy())
  const probe = new EngineProbe(client, '', {}, 50)
  await assert.rejects(probe.detect(), (fault: unknown) => {
    assert.ok(fault instanceof Fault)
    assert.equal(fault.kind, 'timeout')
    assert.equal(isBackendsFault(fault), false)
    assert.equal(failedKindOf(fault), 'unsent')
    return true
  })
})
