import type { FastifyInstance, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import type { Model } from '../src/domain/catalog.ts'
import type { Principal } from '../src/domain/principal.ts'
import { adviseModel, coversModel } from '../src/domain/tier-advice.ts'
import { WeirError } from '../src/errors.ts'
import type { EndpointName } from '../src/schemas/config/models.ts'
import { getPrincipal } from './auth.ts'
import { getConfiguration } from './configuration.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** A hook that finds the model a request asks for and refuses what its principal may not use. */
    authorize: (endpoint: EndpointName) => preHandlerAsyncHookHandler
    /** The models that its principal may use. */
    allowedModels: (request: FastifyRequest) => readonly Model[]
  }
  interface FastifyRequest {
    /** The model and the name it was asked for by; set by `authorize`. */
    model: { readonly model: Model; readonly asked: string } | null
  }
}

export default fp(
  async (app: FastifyInstance) => {
    app.decorateRequest('model', null)
    app.decorate('allowedModels', request => {
      const principal = getPrincipal(request)
      return app.catalog.of(getConfiguration(request)).models.filter(model => mayUse(principal, model))
    })
    app.decorate('authorize', endpoint => async request => {
      const body = request.body as { model?: string | null }
      const principal = getPrincipal(request)
      const configuration = getConfiguration(request)
      const asked = body.model ?? onlyModel(app, request, endpoint)
      const model = app.catalog.of(configuration).find(asked)
      if (model === undefined) throw unknownModel(app, asked)
      if (!mayUse(principal, model)) {
        const advice = adviseModel(shown(asked), model, principal, configuration.tiers)
        throw new WeirError('insufficientPermissions', advice, { param: 'model' })
      }
      if (!model.targets.some(target => target.endpoints.has(endpoint))) {
        throw new WeirError('invalidRequest', `Model '${shown(asked)}' does not serve ${endpoint}.`, { param: 'model' })
      }
      request.model = { model, asked }
    })
  },
  { name: 'permissions', dependencies: ['configuration', 'auth', 'catalog'] },
)

const mayUse = ({ models }: Principal, model: Model): boolean => coversModel(models, model)

/** A caller's text in an error: short, and nothing that a terminal or a log would obey. */
const shown = (name: string): string => name.replace(/[^\x20-\x7e]/g, '?').slice(0, 100)

/** The one model that the request can mean. Throws where there are several, or none. */
function onlyModel(app: FastifyInstance, request: FastifyRequest, endpoint: EndpointName): string {
  const models = app.allowedModels(request)
  const [only, ...others] = models.filter(model => model.targets.some(target => target.endpoints.has(endpoint)))
  if (only !== undefined && others.length === 0) return only.id
  if (only === undefined && !app.catalog.isComplete) throw notKnownYet('Which model is meant')
  const message =
    only === undefined
      ? `There is no model that this key may use for ${endpoint}.`
      : `There is more than one model: say which in 'model'. GET /v1/models lists them.`
  throw new WeirError('invalidRequest', message, { param: 'model' })
}

const notKnownYet = (what: string): WeirError =>
  new WeirError('overloaded', `${what} is not known yet: a backend has not said what it offers.`, {
    retryAfterMs: 2000,
    param: 'model',
  })

/** What is said of a name that is no model's. */
export function unknownModel(app: FastifyInstance, asked: string): WeirError {
  if (!app.catalog.isComplete) return notKnownYet(`Model '${shown(asked)}'`)
  return new WeirError(
    'modelNotFound',
    `There is no model '${shown(asked)}'. GET /v1/models lists those this key may use.`,
    { param: 'model' },
  )
}
