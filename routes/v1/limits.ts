import type { FastifyInstance } from 'fastify'
import { getPrincipal } from '../../plugins/auth.ts'
import { periodAt } from '../../src/domain/calendar.ts'
import type { Limit } from '../../src/domain/limit.ts'
import { mostOf, refillMsOf, remainingOf } from '../../src/domain/limit-headers.ts'
import { formatUsd } from '../../src/domain/money.ts'
import type { KnownState } from '../../src/domain/reservation.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { keyErrors } from '../../src/schemas/error-body.ts'
import { type LimitList, LimitListSchema, type LimitView } from '../../src/schemas/limit-list.ts'

/** What a caller has, has used, and when it is free again. */
export default async function limits(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', app.requireScope('usage'))
  app.get(
    '/usage/limits',
    {
      config: { operation: 'usage.limits', scope: 'usage' },
      schema: {
        operationId: 'listLimits',
        tags: ['Usage'],
        summary: 'List the limits of this key and its account, and what is left of them',
        description: 'Asking counts for none of them.',
        response: { 200: jsonAnswer('The limits; none where there are none.', LimitListSchema), ...keyErrors },
      },
    },
    async (request): Promise<LimitList> => {
      const { limits, tier } = getPrincipal(request)
      const { set, states, isLocal } = await app.limiter.look(limits)
      const nowMs = Date.now()
      const data = set.limits.flatMap((limit, index) => {
        const state = states[index]
        return state === undefined ? [] : [viewOf(limit, state, nowMs)]
      })
      return { object: 'list', tier, counted: isLocal ? 'alone' : 'together', data }
    },
  )
}

function viewOf(limit: Limit, state: KnownState, nowMs: number): LimitView {
  const amount = (value: number) => (limit.unit === 'nanoUsd' ? formatUsd(value) : value)
  return {
    object: 'limit',
    name: limit.name,
    of: limit.of,
    limit: amount(mostOf(limit)),
    used: state === null ? null : amount(state.used),
    remaining: state === null ? null : amount(remainingOf(limit, state)),
    resets_at: resetAt(limit, state, nowMs),
  }
}

function resetAt(limit: Limit, state: KnownState, nowMs: number): string | null {
  switch (limit.kind) {
    case 'rate':
      return state === null ? null : new Date(nowMs + refillMsOf(limit, state)).toISOString()
    case 'period':
      return new Date(periodAt(limit.period, nowMs * 1000).untilUs / 1000).toISOString()
    case 'flight':
      return null
  }
}
