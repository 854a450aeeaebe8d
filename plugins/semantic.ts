import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Call } from '../src/backend/call.ts'
import { keepsQuestions, QuestionStore } from '../src/cache/question-store.ts'
import { embedQuestion } from '../src/cache/question-vector.ts'
import { SemanticCache, type SemanticQuestion } from '../src/cache/semantic-cache.ts'
import type { Config } from '../src/config.ts'
import type { AnswerCaching } from '../src/domain/cache-policy.ts'
import { askedBy, guardOf, scopeOf } from '../src/domain/semantic-question.ts'
import { reasonOf } from '../src/log/describe-error.ts'
import type { ChatRequest } from '../src/schemas/chat-request.ts'
import { isUnavailable } from '../src/store/deadline.ts'
import { getPrincipal } from './auth.ts'
import { getConfiguration } from './configuration.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Answers to questions that mean the same; nothing is found where no model has it, or the database cannot. */
    readonly semantic: SemanticCache
    /** What a request asks by meaning; null where its model or key does not want that, or it cannot be. */
    readonly questionOf: (request: FastifyRequest, call: Call, caching: AnswerCaching) => SemanticQuestion | null
  }
}

interface SemanticOptions {
  readonly config: Pick<Config, 'cache'>
}

const sweepMs = 60_000

export default fp<SemanticOptions>(
  async (app, { config }) => {
    const store = buildStore(app, config.cache.maxQuestions)
    const prepare = () => {
      if (keepsQuestions(app.configuration.current)) void store.prepare()
    }
    app.decorate('semantic', new SemanticCache({ store, meters: app.meters.semantic }))
    app.decorate('questionOf', (request, call, caching) => questionOf(app, request, { call, caching }))
    app.configuration.onReload(() => ({ commit: prepare }))
    // Rejected where it is closed before the database has answered.
    app.database.firstContact.then(prepare, () => undefined)
    const timer = setInterval(() => void store.sweep(), sweepMs)
    timer.unref()
    app.addHook('onClose', async () => clearInterval(timer))
  },
  {
    name: 'semantic',
    fastify: '5.x',
    dependencies: ['configuration', 'metrics', 'postgres', 'catalog', 'auth', 'backends', 'cache'],
  },
)

function buildStore(app: FastifyInstance, maxQuestions: number): QuestionStore {
  const { database, log } = app
  const meters = app.meters.semantic
  return new QuestionStore({
    sql: app.sql,
    isEmbedded: database.connections === null,
    isReachable: () => database.state === 'ready',
    maxQuestions,
    onUsable: (isUsable, words) => {
      meters.setUsable(isUsable)
      if (isUsable) log.info({ version: words }, 'semantic cache: ready')
      else log.error({ reason: words }, 'semantic cache: off, as the database cannot do it')
    },
    onSwept: ({ entries, evicted }) => {
      meters.setQuestions(entries)
      meters.evicted(evicted)
    },
    onError: error => {
      database.reportFailure(error)
      // A look-up whose time was up is counted, and an outage is told by the database's own lines.
      if (!isUnavailable(error)) log.warn({ reason: reasonOf(error) }, 'semantic cache: the database does not take it')
    },
  })
}

function questionOf(
  app: FastifyInstance,
  request: FastifyRequest,
  { call, caching }: { readonly call: Call; readonly caching: AnswerCaching },
): SemanticQuestion | null {
  const { semantic, revision } = caching
  const { accountId, semanticCache } = getPrincipal(request)
  if (semantic === undefined || !semanticCache || call.operation !== 'chat') return null
  const asked = askedBy(request.body as ChatRequest, semantic.depth)
  if (asked.kind === 'unasked') {
    app.meters.semantic.unasked(call.model.id, asked.reason)
    return null
  }
  const configuration = getConfiguration(request)
  const embedding = app.catalog.of(configuration).find(semantic.embeddingModel)
  // One that a backend lists may be gone for now.
  if (embedding === undefined) return null
  const { secret } = app.cache
  const { fields, outputBound } = call.asks()
  const scope = { operation: 'chat', accountId, model: call.model.id, revision, outputBound } as const
  const { embeddingModel, guard } = semantic
  const embeddingRevision = configuration.models[embedding.id]?.revision ?? ''
  const comparison = { embeddingModel, embeddingRevision, guard, before: asked.before }
  return {
    scope: scopeOf(secret, scope, fields, comparison),
    guard: guardOf(asked.text, guard, secret),
    accountId,
    model: call.model.id,
    embeddingModel: embedding.id,
    semantic,
    embed: () =>
      embedQuestion(asked.text, embedding, {
        account: accountId,
        run: (made, receiver) => app.backends.run(request, made, receiver),
      }),
  }
}
