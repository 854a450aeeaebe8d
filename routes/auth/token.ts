import type { FastifyInstance } from 'fastify'
import { getPrincipal } from '../../plugins/auth.ts'
import { fillAbsentBody } from '../../plugins/body.ts'
import type { Principal } from '../../src/domain/principal.ts'
import { WeirError } from '../../src/errors.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { tokenErrors } from '../../src/schemas/error-body.ts'
import { type TokenRequest, TokenRequestSchema, TokenResponseSchema } from '../../src/schemas/token.ts'

export interface TokenOptions {
  /** The longest a token may last. */
  readonly tokenTtlMs: number
}

/** Changes an API key for a token that can be handed to a browser or a job: it ends by itself, and with the key. */
export default async function token(app: FastifyInstance, { tokenTtlMs }: TokenOptions): Promise<void> {
  app.addHook('onRequest', app.authenticate)
  app.post<{ Body: TokenRequest }>(
    '/auth/token',
    {
      config: { operation: 'auth.token', scope: 'any' },
      preValidation: fillAbsentBody,
      schema: {
        operationId: 'createToken',
        tags: ['Authentication'],
        summary: 'Change an API key for a short-lived token',
        body: TokenRequestSchema,
        response: { 200: jsonAnswer('The token.', TokenResponseSchema), ...tokenErrors },
      },
    },
    async (request, reply) => {
      const { scopes: asked, expires_in: lifetimeS } = request.body
      const { keyId, accountId, scopes, expiresAtMs: keyEndsAtMs } = requireKey(getPrincipal(request))
      const granted = asked ?? [...scopes]
      if (granted.length === 0) {
        throw new WeirError('insufficientPermissions', 'This key may do nothing, and so could its token.')
      }
      const missing = granted.filter(scope => !scopes.has(scope))
      if (missing.length > 0) {
        const message = `This key does not have the scope "${missing.join('", "')}", so its token cannot have it.`
        throw new WeirError('insufficientPermissions', message, { param: 'scopes' })
      }
      const nowMs = Date.now()
      const longestMs = Math.min(tokenTtlMs, (keyEndsAtMs ?? Number.POSITIVE_INFINITY) - nowMs)
      const expiresInS = Math.min(lifetimeS ?? Number.POSITIVE_INFINITY, Math.floor(longestMs / 1000))
      // A key in its last second.
      if (expiresInS < 1) throw new WeirError('invalidApiKey', 'The API key ends before a token for it could begin.')
      // Tokens count in whole seconds; rounded down, it never outlives its key.
      const expiresAtMs = (Math.floor(nowMs / 1000) + expiresInS) * 1000
      const text = app.tokens.issue({ keyId, accountId, scopes: granted, expiresAtMs })
      return reply.header('cache-control', 'no-store').send({
        access_token: text,
        token_type: 'Bearer',
        expires_in: expiresInS,
        expires_at: new Date(expiresAtMs).toISOString(),
        scope: granted.join(' '),
      })
    },
  )
}

/** Only a key that can be revoked: a token made by a token would outlast its own end, and one of the preset key any. */
function requireKey(principal: Principal): Principal & { readonly keyId: string } {
  const { credential, keyId } = principal
  if (credential === 'key' && keyId !== null) return { ...principal, keyId }
  const what = credential === 'admin-key' ? 'The preset admin key' : 'A token'
  throw new WeirError('insufficientPermissions', `${what} cannot be changed for a token: send an API key.`)
}
