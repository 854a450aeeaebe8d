import { createServer, type Server } from 'node:http'
import { completeChat, completeText, countChatTokens } from './completions.ts'
import { embed } from './embeddings.ts'
import type { Engine } from './engine.ts'
import { Exchange } from './exchange.ts'
import { describeServer, listModels, listSlots, tokenize } from './server-info.ts'
import { toWireError, WireError } from './wire-error.ts'

type Handler = (engine: Engine, exchange: Exchange) => void | Promise<void>

const routes: Readonly<Record<string, Handler>> = {
  'POST /v1/chat/completions': completeChat,
  'POST /v1/completions': completeText,
  'POST /v1/embeddings': embed,
  'POST /v1/chat/completions/input_tokens': countChatTokens,
  'POST /tokenize': tokenize,
  'GET /v1/models': listModels,
  'GET /health': (_engine, exchange) => exchange.sendJson({ status: 'ok' }),
  'GET /props': describeServer,
  'GET /slots': listSlots,
}

/**
 * The HTTP server, not yet listening.
 * @param findEngine the loaded engine, or undefined while it loads: then every path answers 503, as llama-server does
 */
export function buildServer(findEngine: () => Engine | undefined): Server {
  const server = createServer((request, response) => {
    response.sendDate = false
    response.setHeader('Server', 'llama.cpp')
    const exchange = new Exchange(request, response)
    // A connection that breaks is the exchange's signal; unheard, the event would end the process.
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    const path = (request.url ?? '/').split('?')[0]
    handle(findEngine(), exchange, `${request.method} ${path}`).catch((error: unknown) => exchange.fail(error))
  })
  // The parent's pool closes idle connections first, so none is closed under a request on its way.
  server.keepAliveTimeout = 30_000
  // Time limits are the gateway's business; a long answer is no fault here.
  server.requestTimeout = 0
  return server
}

async function handle(engine: Engine | undefined, exchange: Exchange, operation: string): Promise<void> {
  if (engine === undefined) throw new WireError(503, 'unavailable_error', 'Loading model')
  const handler = Object.hasOwn(routes, operation) ? routes[operation] : undefined
  if (handler === undefined) throw new WireError(404, 'not_found_error', 'File Not Found')
  try {
    await handler(engine, exchange)
  } catch (error) {
    throw toWireError(error)
  }
}
