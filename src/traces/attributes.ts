/**
 * What spans tell, by OpenTelemetry's conventions for HTTP and generative AI and with names of our own: names of the
 * program and of its configuration, public ids and figures. No path, query, header, prompt or answer: callers write those.
 */
import type { Attributes } from '@opentelemetry/api'
import type { Usage } from '../domain/usage.ts'
import type { AttemptStart, RequestEnd, RequestStart } from './request-trace.ts'

const operations: Readonly<Record<string, string>> = {
  chat: 'chat',
  completions: 'text_completion',
  embeddings: 'embeddings',
}
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

const methodOf = ({ method }: RequestStart): string => (methods.has(method) ? method : '_OTHER')

export const requestName = (about: RequestStart): string =>
  about.route === undefined ? methodOf(about) : `${methodOf(about)} ${about.route}`

export function requestAttributes(about: RequestStart): Attributes {
  const { route, operation, requestId } = about
  const generative = operations[operation]
  return {
    'http.request.method': methodOf(about),
    'url.scheme': 'http',
    'weir.operation': operation,
    'weir.request_id': requestId,
    ...(route === undefined ? {} : { 'http.route': route }),
    ...(generative === undefined ? {} : { 'gen_ai.operation.name': generative }),
  }
}

/** Attributes without a value are left out. */
type Values = Readonly<Record<string, string | number | boolean | null>>

export function endAttributes(end: RequestEnd, provider: string | null): Attributes {
  return present({
    'http.response.status_code': end.status,
    'weir.outcome': end.outcome,
    'weir.account': end.account,
    'weir.key': end.key,
    'weir.tier': end.tier,
    'weir.backend': end.backend,
    'weir.attempts': end.attempts === 0 ? null : end.attempts,
    'weir.stream': end.isStream,
    'gen_ai.provider.name': provider,
    'gen_ai.request.model': end.model,
    'gen_ai.response.model': end.answeredBy,
    ...usageValues(end.usage),
  })
}

export const attemptName = ({ operation, model }: AttemptStart): string => `${operations[operation]} ${model}`

export function attemptAttributes({ operation, backend, url, engine, model }: AttemptStart): Attributes {
  const { hostname, port, protocol } = new URL(url)
  return present({
    'gen_ai.operation.name': operations[operation] ?? operation,
    'gen_ai.provider.name': engine,
    'gen_ai.request.model': model,
    'server.address': hostname,
    'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
    'weir.backend': backend,
  })
}

export const usageAttributes = (usage: Usage | null): Attributes => present(usageValues(usage))

const usageValues = (usage: Usage | null): Values =>
  usage === null
    ? {}
    : { 'gen_ai.usage.input_tokens': usage.inputTokens, 'gen_ai.usage.output_tokens': usage.outputTokens }

const present = (values: Values): Attributes =>
  Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [[name, value]])))
