import type { FastifyReply, FastifyRequest } from 'fastify'
import { getPrincipal } from '../../plugins/auth.ts'
import type { Actor } from '../../src/admin/actor.ts'
import type { Creation } from '../../src/admin/creation.ts'
import type { Operations } from '../../src/admin/operations.ts'

export interface AdminOptions {
  readonly operations: Operations
}

export const actorOf = (request: FastifyRequest): Actor => ({
  kind: 'principal',
  principal: getPrincipal(request),
  requestId: request.id,
})

/** 201 with what was made, or 200 with what the same request made before. */
export function sendCreation(reply: FastifyReply, creation: Creation<object, object>): FastifyReply {
  if (creation.kind === 'made') return reply.code(201).send(creation.record)
  return reply.header('idempotent-replayed', 'true').send(creation.record)
}
