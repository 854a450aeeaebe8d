import type { FastifyInstance } from 'fastify'
import type { ExperimentOperations } from '../../src/admin/experiment-operations.ts'
import {
  ExperimentReportSchema,
  ExperimentSchema,
  type UpdateExperiment,
  UpdateExperimentSchema,
} from '../../src/schemas/admin/experiments.ts'
import { ListSchema } from '../../src/schemas/admin/list.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { changeErrors, keyErrors, recordErrors } from '../../src/schemas/error-body.ts'
import { Type } from '../../src/schemas/typebox.ts'
import { actorOf } from './exchange.ts'

export interface ExperimentOptions {
  readonly operations: ExperimentOperations
}

const params = Type.Object({ name: Type.String() })
interface Params {
  Params: { name: string }
}

const about = (operationId: string, summary: string) => ({ operationId, tags: ['Administration'], summary })
const config = { operation: 'admin.experiments', scope: 'admin' } as const

/** Experiments are of the configuration; what is known of them is in memory, also while the database is away. */
export default async function experiments(app: FastifyInstance, { operations }: ExperimentOptions): Promise<void> {
  const route = { config, constraints: app.internal }
  app.get(
    '/experiments',
    {
      ...route,
      schema: {
        ...about('listExperiments', 'List the experiments of the configuration'),
        response: {
          200: jsonAnswer('All experiments.', ListSchema('ExperimentList', ExperimentSchema)),
          ...keyErrors,
        },
      },
    },
    async () => operations.listExperiments(),
  )
  app.get<Params>(
    '/experiments/:name',
    {
      ...route,
      schema: {
        ...about('retrieveExperiment', 'Compare the arms of an experiment, as this replica has seen them'),
        params,
        response: {
          200: jsonAnswer('The experiment, and what its arms have done.', ExperimentReportSchema),
          ...recordErrors,
        },
      },
    },
    async request => operations.getExperiment(request.params),
  )
}

/** What needs the database. */
export async function experimentChanges(app: FastifyInstance, { operations }: ExperimentOptions): Promise<void> {
  app.patch<Params & { Body: UpdateExperiment }>(
    '/experiments/:name',
    {
      config,
      constraints: app.internal,
      schema: {
        ...about('updateExperiment', 'Ramp an experiment up or down, pause it, or end it with a winner'),
        params,
        body: UpdateExperimentSchema,
        response: { 200: jsonAnswer('The experiment.', ExperimentSchema), ...changeErrors },
      },
    },
    async request => {
      const { params, body: changes } = request
      return await operations.updateExperiment(actorOf(request), { name: params.name, changes })
    },
  )
}
