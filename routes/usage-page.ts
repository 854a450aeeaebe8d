import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Page } from '../src/schemas/admin/list.ts'
import { prefersCsv, writeCsv } from '../src/usage/csv.ts'

/** Answers a page as JSON, or as a table of these columns where that was asked for. */
export function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  { page, columns }: { page: Page<Readonly<Record<string, unknown>>>; columns: readonly string[] },
): FastifyReply {
  if (!prefersCsv(request.headers.accept)) return reply.send(page)
  if (page.next_cursor !== null) reply.header('x-next-cursor', page.next_cursor)
  return reply.type('text/csv; charset=utf-8; header=present').send(writeCsv(columns, page.data))
}
