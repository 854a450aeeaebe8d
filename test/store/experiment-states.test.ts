import assert from 'node:assert/strict'
import type { ExperimentState } from '../../src/domain/experiment.ts'
import { listAudit } from '../../src/store/audit.ts'
import { getExperimentState, listExperimentStates, saveExperimentState } from '../../src/store/experiment-states.ts'
import { author, conform } from '../support/conformance.ts'

const filter = {
  targetKind: 'experiment',
  actorKind: null,
  actorId: null,
  action: null,
  since: null,
  until: null,
} as const
let lastMs = Date.parse('2032-01-01')

conform('the states of experiments', {
  'one that nobody has said anything of runs in full, and has no row': async sql => {
    assert.deepEqual(await listExperimentStates(sql, 5000), [])
    const found = await getExperimentState(sql, 'x')
    assert.deepEqual(found, {
      name: 'x',
      state: { status: 'running', rampPercent: 100 },
      updatedAt: new Date(0),
      version: null,
    })
  },

  'what was said last is kept, with an entry in the audit log for each change': async sql => {
    const name = `said-${++lastMs}`
    const states: ExperimentState[] = [
      { status: 'running', rampPercent: 5 },
      { status: 'paused', rampPercent: 5 },
      { status: 'ended', rampPercent: 5, winner: 'b' },
    ]
    for (const state of states) {
      const before = await getExperimentState(sql, name)
      const after = { ...before, state, updatedAt: new Date(++lastMs) }
      assert.equal(await saveExperimentState(sql, { before, after }, author), 'done')
      const { version, ...saved } = await getExperimentState(sql, name)
      assert.deepEqual(saved, { name, state, updatedAt: after.updatedAt })
      assert.notEqual(version, null)
    }
    assert.deepEqual(await listExperimentStates(sql, 5000), [await getExperimentState(sql, name)])
    const entries = await listAudit(sql, { ...filter, targetId: name }, { limit: 10, before: null })
    const snapshot = { name, ramp_percent: 5, winner: null }
    assert.deepEqual(
      entries.map(({ after }) => after),
      [
        { ...snapshot, state: 'ended', winner: 'b' },
        { ...snapshot, state: 'paused' },
        { ...snapshot, state: 'running' },
      ],
    )
    assert.deepEqual(entries.at(-1)?.before, { ...snapshot, state: 'running', ramp_percent: 100 })
    assert.deepEqual([entries[0]?.author, entries[0]?.action], [author, 'experiment.update'])
  },

  'of two changes of one version the second is stale and in no log, also where there was no row': async sql => {
    const name = `raced-${++lastMs}`
    for (const isFirst of [true, false]) {
      const before = await getExperimentState(sql, name)
      assert.equal(before.version === null, isFirst)
      const change = (rampPercent: number) => {
        const after = { ...before, state: { status: 'running', rampPercent }, updatedAt: new Date(++lastMs) } as const
        return saveExperimentState(sql, { before, after }, author)
      }
      const outcomes = await Promise.all([change(1), change(2)])
      assert.deepEqual(outcomes.toSorted(), ['done', 'stale'])
    }
    const entries = await listAudit(sql, { ...filter, targetId: name }, { limit: 10, before: null })
    assert.equal(entries.length, 2)
  },
})
