import type { FastifyInstance } from 'fastify'
import { WeirError } from '../../src/errors.ts'
import { BackendViewSchema, type UpdateBackend, UpdateBackendSchema } from '../../src/schemas/admin/backends.ts'
import { NameSchema } from '../../src/schemas/admin/fields.ts'
import { ListSchema } from '../../src/schemas/admin/list.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { keyErrors, recordErrors } from '../../src/schemas/error-body.ts'
import { Type } from '../../src/schemas/typebox.ts'

const params = Type.Object({ name: NameSchema('Its name under `backends` in weir.yaml.') })
interface Params {
  Params: { name: string }
}

/** Backends are configured in weir.yaml; here is how they are, and they can be drained. */
export default async function backends(app: FastifyInstance): Promise<void> {
  const route = { config: { operation: 'admin.backends', scope: 'admin' }, constraints: app.internal } as const
  const about = (operationId: string, summary: string) => ({ operationId, tags: ['Administration'], summary })
  const answer = { 200: jsonAnswer('The backend.', BackendViewSchema) }
  app.get(
    '/backends',
    {
      ...route,
      schema: {
        ...about('listBackends', 'List the backends, and how they are'),
        response: { 200: jsonAnswer('All backends.', ListSchema('BackendList', BackendViewSchema)), ...keyErrors },
      },
    },
    async () => ({ object: 'list', data: app.backends.views(), has_more: false, next_cursor: null }),
  )
  app.get<Params>(
    '/backends/:name',
    {
      ...route,
      schema: { ...about('retrieveBackend', 'Get a backend'), params, response: { ...answer, ...recordErrors } },
    },
    async request => find(app, request.params.name),
  )
  app.patch<Params & { Body: UpdateBackend }>(
    '/backends/:name',
    {
      ...route,
      schema: {
        ...about('updateBackend', 'Drain a backend, or let requests in again'),
        params,
        body: UpdateBackendSchema,
        response: { ...answer, ...recordErrors },
      },
    },
    async request => {
      const { name } = request.params
      find(app, name)
      app.backends.drain(name, request.body.drained)
      request.log.warn({ backend: name, drained: request.body.drained }, 'backend drained by an administrator')
      return find(app, name)
    },
  )
}

function find(app: FastifyInstance, name: string) {
  const found = app.backends.views().find(view => view.name === name)
  if (found === undefined) throw new WeirError('resourceNotFound', `There is no backend '${name}'.`, { param: 'name' })
  return found
}
