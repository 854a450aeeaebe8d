import type { FastifyInstance } from 'fastify'
import {
  AccountSchema,
  type CreateAccount,
  CreateAccountSchema,
  type ListAccounts,
  ListAccountsSchema,
  type UpdateAccount,
  UpdateAccountSchema,
} from '../../src/schemas/admin/accounts.ts'
import { type IdempotencyHeaders, IdempotencyHeadersSchema, NameSchema } from '../../src/schemas/admin/fields.ts'
import { ListSchema } from '../../src/schemas/admin/list.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { changeErrors, keyErrors, recordErrors } from '../../src/schemas/error-body.ts'
import { Type } from '../../src/schemas/typebox.ts'
import { type AdminOptions, actorOf, sendCreation } from './exchange.ts'

const params = Type.Object({ id: NameSchema("The account's id, or its name.") })
interface Params {
  Params: { id: string }
}

const about = (operationId: string, summary: string) => ({ operationId, tags: ['Administration'], summary })

export default async function accounts(app: FastifyInstance, { operations }: AdminOptions): Promise<void> {
  const route = { config: { operation: 'admin.accounts', scope: 'admin' }, constraints: app.internal } as const
  const answer = { 200: jsonAnswer('The account.', AccountSchema) }

  app.get<{ Querystring: ListAccounts }>(
    '/accounts',
    {
      ...route,
      schema: {
        ...about('listAccounts', 'List accounts, newest first'),
        querystring: ListAccountsSchema,
        response: { 200: jsonAnswer('A page of accounts.', ListSchema('AccountList', AccountSchema)), ...keyErrors },
      },
    },
    async request => operations.listAccounts(request.query),
  )
  app.post<{ Body: CreateAccount; Headers: IdempotencyHeaders }>(
    '/accounts',
    {
      ...route,
      schema: {
        ...about('createAccount', 'Make an account'),
        headers: IdempotencyHeadersSchema,
        body: CreateAccountSchema,
        response: {
          201: jsonAnswer('The new account.', AccountSchema),
          200: jsonAnswer('The account that this request has made before.', AccountSchema),
          ...changeErrors,
        },
      },
    },
    async (request, reply) => {
      const { body, headers } = request
      const idempotencyKey = headers['idempotency-key'] ?? null
      return sendCreation(reply, await operations.createAccount(actorOf(request), { body, idempotencyKey }))
    },
  )
  app.get<Params>(
    '/accounts/:id',
    {
      ...route,
      schema: {
        ...about('retrieveAccount', 'Get an account'),
        params,
        response: { ...answer, ...recordErrors },
      },
    },
    async request => operations.getAccount({ account: request.params.id }),
  )
  app.patch<Params & { Body: UpdateAccount }>(
    '/accounts/:id',
    {
      ...route,
      schema: {
        ...about('updateAccount', 'Change an account, suspend it or let it in again'),
        params,
        body: UpdateAccountSchema,
        response: { ...answer, ...changeErrors },
      },
    },
    async request => {
      const { params, body: changes } = request
      return await operations.updateAccount(actorOf(request), { account: params.id, changes })
    },
  )
  app.delete<Params>(
    '/accounts/:id',
    {
      ...route,
      schema: {
        ...about('deleteAccount', 'Delete an account: its keys end, its name is free, its identities get in no more'),
        params,
        response: { ...answer, ...changeErrors },
      },
    },
    async request => operations.deleteAccount(actorOf(request), { account: request.params.id }),
  )
}
