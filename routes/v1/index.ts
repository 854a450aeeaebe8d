import type { FastifyInstance } from 'fastify'
import chatCompletions from './chat-completions.ts'
import completions from './completions.ts'
import embeddings from './embeddings.ts'
import limits from './limits.ts'
import models from './models.ts'
import usage from './usage.ts'

/**
 * The request line of every inference request, in order:
 *
 *   onRequest    authenticate    key or JWT → request.principal         401 503
 *                requireScope    the route's scope                      403
 *                [body           bounded, parsed, validated]            400 413 415
 *   preHandler   authorize       name or alias → request.model          404 403
 *                prepare         the call, and what it may cost at most 400
 *                lookUp          begins to look for the answer in the cache
 *                reserve         against all limits at once, or none    429 503
 *                keepIntent      on the disk, before anything is sent   503
 *   handler      replay          what was found; or joins who asks the same
 *                dispatch        a target's backend, the relay          502 503 504
 *   onSend       showLimits      what is left, where it was refused before reserve could say it
 *
 * and on the 'close' of the reply's socket, exactly once, the record of what it was (plugins/usage.ts), in the ledger too
 * (plugins/ledger.ts), and the settlement of what was reserved (plugins/limits.ts).
 */
export default async function v1(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', app.authenticate)
  await app.register(chatCompletions)
  await app.register(completions)
  await app.register(embeddings)
  await app.register(models)
  await app.register(limits)
  await app.register(usage)
}
