import type { FastifyInstance, FastifyRequest } from 'fastify'
import { getConfiguration } from '../../plugins/configuration.ts'
import { unknownModel } from '../../plugins/permissions.ts'
import type { Model } from '../../src/domain/catalog.ts'
import { WeirError } from '../../src/errors.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { keyErrors, modelErrors } from '../../src/schemas/error-body.ts'
import { ModelListSchema, ModelObjectSchema } from '../../src/schemas/model-list.ts'
import { Type } from '../../src/schemas/typebox.ts'

const wireModel = ({ id, created, ownedBy }: Model) => ({ id, object: 'model' as const, created, owned_by: ownedBy })

export default async function models(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', app.requireScope('models'))
  app.get(
    '/models',
    {
      config: { operation: 'models', scope: 'models' },
      schema: {
        operationId: 'listModels',
        tags: ['Models'],
        summary: 'List the models this key may use',
        response: { 200: jsonAnswer('The models.', ModelListSchema), ...keyErrors },
      },
    },
    async request => ({ object: 'list', data: app.allowedModels(request).map(wireModel) }),
  )
  const getModel = (request: FastifyRequest, name: string) => {
    const model = app.catalog.of(getConfiguration(request)).find(name)
    if (model === undefined) throw unknownModel(app, name)
    if (app.allowedModels(request).includes(model)) return wireModel(model)
    const message = 'There is no such model for this key. GET /v1/models lists those there are.'
    throw new WeirError('modelNotFound', message, { param: 'model' })
  }
  app.get<{ Params: { id: string } }>(
    '/models/:id',
    {
      config: { operation: 'models', scope: 'models' },
      schema: {
        operationId: 'retrieveModel',
        tags: ['Models'],
        summary: 'Get one model, by name or alias',
        params: Type.Object({ id: Type.String({ description: 'Slashes may stand as %2F or as they are.' }) }),
        response: { 200: jsonAnswer('The model.', ModelObjectSchema), ...modelErrors },
      },
    },
    async request => getModel(request, request.params.id),
  )
  // Names such as org/name, where the caller has not encoded the slash.
  app.get<{ Params: { '*': string } }>(
    '/models/*',
    { config: { operation: 'models', scope: 'models' }, schema: { hide: true } },
    async request => getModel(request, request.params['*']),
  )
}
