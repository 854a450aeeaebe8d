import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { CallRecord } from '../src/backend/call.ts'
import type { ArmCall } from '../src/domain/arm-tally.ts'
import type { Model } from '../src/domain/catalog.ts'
import { type Assignment, assign, type Participation, stickyValue } from '../src/domain/experiment.ts'
import { answeringModel } from '../src/domain/shadow.ts'
import { armCallOf } from '../src/experiments/arm-call.ts'
import { ArmTallies } from '../src/experiments/arm-tallies.ts'
import { LiveStates } from '../src/experiments/live-states.ts'
import { DatabaseUnavailableError } from '../src/store/deadline.ts'
import { listExperimentStates } from '../src/store/experiment-states.ts'
import { getPrincipal } from './auth.ts'

declare module 'fastify' {
  interface FastifyInstance {
    readonly experiments: Experiments
  }
  interface FastifyRequest {
    /** The arm that answers it; null where its model has no experiment, and before `app.experiments.assign`. */
    assignment: Assignment | null
  }
}

export interface Experiments {
  /**
   * The arm whose targets are to answer this request, also where the request is not counted; null where the model has no
   * experiment. For a request behind `app.authenticate`.
   */
  assign(request: FastifyRequest, model: Model): Assignment | null
  /** The model with those of its targets that may answer callers now. */
  answering(model: Model): Model
  /** One request that was counted, once, when it is over. */
  observe(of: Participation, call: ArmCall): void
  /**
   * One copy of a request, which came in at `startedAt` (milliseconds of the monotonic clock), when it is over; `record` is null
   * where it was dropped.
   */
  observeCopy(of: Participation, record: CallRecord | null, startedAt: number): void
  /** What administrators have said of the experiments. */
  readonly states: LiveStates
  /** What this process has seen of them. */
  readonly tallies: ArmTallies
}

const loadTimeoutMs = 1000

export default fp(
  async app => {
    const experiments = () => app.catalog.current.models.flatMap(({ experiment }) => experiment ?? [])
    const states = new LiveStates({
      load: async () => {
        const { sql, database } = app
        if (database.state !== 'ready') throw new DatabaseUnavailableError(`the database is ${database.state}`)
        try {
          return await listExperimentStates(sql, loadTimeoutMs)
        } catch (error) {
          database.reportFailure(error)
          throw error
        }
      },
      isNeeded: () => experiments().length > 0,
      log: app.log,
    })
    const tallies = new ArmTallies(name => {
      const found = experiments().find(experiment => experiment.name === name)
      return found?.arms.map(arm => arm.name) ?? []
    })
    app.decorateRequest('assignment', null)
    app.decorate('experiments', {
      assign(request, { experiment }) {
        if (experiment === undefined) return null
        const sticky = stickyValue(experiment, request.headers, getPrincipal(request).accountId)
        request.assignment = assign(experiment, states.find(experiment.name), sticky)
        return request.assignment
      },
      answering: model => answeringModel(model, model.experiment ? states.find(model.experiment.name) : null),
      observe(of, call) {
        tallies.observe(of, call)
        app.meters.observeArm(of, call)
      },
      observeCopy(of, record, startedAt) {
        if (record === null) return app.meters.observeShadow(of, 'dropped')
        const firstTokenMs = record.firstContentAt === null ? null : record.firstContentAt - startedAt
        // Nobody was answered: what failed is in the record.
        const call = armCallOf(of, record, { status: 200, firstTokenMs })
        app.experiments.observe(of, call)
        app.meters.observeShadow(of, call.hasFailed ? 'error' : 'ok')
      },
      states,
      tallies,
    })
    app.onChange({
      changed: ({ kind }) => kind === 'experiment' && states.look(),
      missed: () => states.look(),
    })
    app.database.firstContact.then(
      () => states.look(),
      // Closed before the database has answered.
      () => undefined,
    )
    app.addHook('onClose', () => states.stop())
  },
  { name: 'experiments', fastify: '5.x', dependencies: ['metrics', 'postgres', 'changes', 'catalog', 'auth'] },
)
