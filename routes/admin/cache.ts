import type { FastifyInstance } from 'fastify'
import { getAccount, isUuid } from '../../src/admin/context.ts'
import type { Forgetting } from '../../src/domain/response-store.ts'
import { WeirError } from '../../src/errors.ts'
import {
  type ForgetAnswers,
  ForgetAnswersSchema,
  type ForgottenAnswers,
  ForgottenAnswersSchema,
} from '../../src/schemas/admin/cache.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { recordErrors } from '../../src/schemas/error-body.ts'

/** What was answered before can be made to be asked anew. */
export default async function cache(app: FastifyInstance): Promise<void> {
  app.delete<{ Querystring: ForgetAnswers }>(
    '/cache',
    {
      config: { operation: 'admin.cache', scope: 'admin' },
      constraints: app.internal,
      schema: {
        operationId: 'forgetAnswers',
        tags: ['Administration'],
        summary: 'Forget cached answers of an account or a model, or one by its key',
        querystring: ForgetAnswersSchema,
        response: { 200: jsonAnswer('What is forgotten.', ForgottenAnswersSchema), ...recordErrors },
      },
    },
    async (request): Promise<ForgottenAnswers> => {
      const what = await whatOf(app, request.query)
      try {
        await app.cache.forget(what)
        // Of no use without their answers, wherever that does not succeed.
        await app.semantic.forget(what)
      } catch (cause) {
        throw new WeirError('overloaded', 'The cache cannot be reached, so nothing was forgotten. Try again.', {
          cause,
        })
      }
      const { kind, ...named } = { account: null, model: null, key: null, ...shown(what) }
      request.log.warn({ kind }, 'cached answers forgotten by an administrator')
      return { object: 'cache_deletion', ...named }
    },
  )
}

async function whatOf(app: FastifyInstance, { account, model, key }: ForgetAnswers): Promise<Forgetting> {
  const given = [account, model, key].filter(value => value !== undefined)
  if (given.length !== 1) {
    throw new WeirError('invalidRequest', 'Say which answers: give one of account, model and key.', {
      param: 'account',
    })
  }
  if (key !== undefined) return { kind: 'key', key }
  // What was discovered or configured before may be gone by now, and its answers are still there.
  if (model !== undefined) return { kind: 'model', model: app.catalog.current.find(model)?.id ?? model }
  const named = account ?? ''
  // An id is enough while the database is away, and of accounts that are no more.
  return { kind: 'account', accountId: isUuid(named) ? named : (await getAccount(app, named, 'account')).id }
}

function shown(what: Forgetting) {
  switch (what.kind) {
    case 'account':
      return { kind: what.kind, account: what.accountId }
    case 'model':
      return { kind: what.kind, model: what.model }
    case 'key':
      return { kind: what.kind, key: what.key }
  }
}
