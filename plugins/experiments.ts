import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { ArmCall } from '../src/domain/arm-tally.ts'
import type { Model } from '../src/domain/catalog.ts'
import { type Assignment, assign, stickyValue } from '../src/domain/experiment.ts'
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
  /** One request that was counted, once, when it is over. */
  observe(assignment: Assignment, call: ArmCall): void
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
      observe(assignment, call) {
        tallies.observe(assignment, call)
        app.meters.observeArm(assignment, call)
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
