import type { FastifyInstance } from 'fastify'
import { fillAbsentBody } from '../../plugins/body.ts'
import { type IdempotencyHeaders, IdempotencyHeadersSchema } from '../../src/schemas/admin/fields.ts'
import {
  CreatedKeySchema,
  type CreateKey,
  CreateKeySchema,
  KeySchema,
  type ListKeys,
  ListKeysSchema,
  type RotateKey,
  RotateKeySchema,
  type UpdateKey,
  UpdateKeySchema,
} from '../../src/schemas/admin/keys.ts'
import { ListSchema } from '../../src/schemas/admin/list.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { changeErrors, keyErrors, recordErrors } from '../../src/schemas/error-body.ts'
import { Type } from '../../src/schemas/typebox.ts'
import { type AdminOptions, actorOf, sendCreation } from './exchange.ts'

const params = Type.Object({
  id: Type.String({ description: 'The 16 characters between `sk-weir-` and the next dash.' }),
})
interface Params {
  Params: { id: string }
}

const about = (operationId: string, summary: string) => ({ operationId, tags: ['Administration'], summary })

const creationAnswers = {
  201: jsonAnswer('The new key, with its secret: the only answer that has it.', CreatedKeySchema),
  200: jsonAnswer('The key that this request has made before, without its secret.', KeySchema),
  ...changeErrors,
}

export default async function keys(app: FastifyInstance, options: AdminOptions): Promise<void> {
  const { operations } = options
  const route = { config: { operation: 'admin.keys', scope: 'admin' }, constraints: app.internal } as const
  addCreations(app, options)

  app.get<{ Querystring: ListKeys }>(
    '/keys',
    {
      ...route,
      schema: {
        ...about('listKeys', 'List API keys, newest first'),
        querystring: ListKeysSchema,
        response: { 200: jsonAnswer('A page of keys.', ListSchema('ApiKeyList', KeySchema)), ...keyErrors },
      },
    },
    async request => operations.listKeys(request.query),
  )
  app.get<Params>(
    '/keys/:id',
    {
      ...route,
      schema: {
        ...about('retrieveKey', 'Get an API key'),
        params,
        response: { 200: jsonAnswer('The key.', KeySchema), ...recordErrors },
      },
    },
    async request => operations.getKey(request.params),
  )
  app.patch<Params & { Body: UpdateKey }>(
    '/keys/:id',
    {
      ...route,
      schema: {
        ...about('updateKey', 'Change what an API key may do and how long it lasts'),
        params,
        body: UpdateKeySchema,
        response: { 200: jsonAnswer('The key.', KeySchema), ...changeErrors },
      },
    },
    async request => operations.updateKey(actorOf(request), { id: request.params.id, changes: request.body }),
  )
  app.delete<Params>(
    '/keys/:id',
    {
      ...route,
      schema: {
        ...about('revokeKey', 'End an API key for good'),
        params,
        response: { 200: jsonAnswer('The key, revoked.', KeySchema), ...changeErrors },
      },
    },
    async request => operations.revokeKey(actorOf(request), request.params),
  )
}

function addCreations(app: FastifyInstance, { operations }: AdminOptions): void {
  const route = { config: { operation: 'admin.keys', scope: 'admin' }, constraints: app.internal } as const
  app.post<{ Body: CreateKey; Headers: IdempotencyHeaders }>(
    '/keys',
    {
      ...route,
      schema: {
        ...about('createKey', 'Make an API key'),
        headers: IdempotencyHeadersSchema,
        body: CreateKeySchema,
        response: creationAnswers,
      },
    },
    async (request, reply) => {
      const { body, headers } = request
      const idempotencyKey = headers['idempotency-key'] ?? null
      return sendCreation(reply, await operations.createKey(actorOf(request), { body, idempotencyKey }))
    },
  )
  app.post<Params & { Body: RotateKey; Headers: IdempotencyHeaders }>(
    '/keys/:id/rotate',
    {
      ...route,
      preValidation: fillAbsentBody,
      schema: {
        ...about('rotateKey', 'Make a key in place of another; for a grace period both work'),
        headers: IdempotencyHeadersSchema,
        params,
        body: RotateKeySchema,
        response: creationAnswers,
      },
    },
    async (request, reply) => {
      const { body, headers, params } = request
      const idempotencyKey = headers['idempotency-key'] ?? null
      const rotation = { id: params.id, body, idempotencyKey }
      return sendCreation(reply, await operations.rotateKey(actorOf(request), rotation))
    },
  )
}
