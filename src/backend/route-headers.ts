import type { Call } from './call.ts'

/** Where a call went, by name, where that is shown; that another model has answered is told everybody. */
export function routeHeadersOf({ record, model }: Call, isShown: boolean): Record<string, string> {
  const headers: Record<string, string> = {}
  const answered = record.model ?? record.givenBy ?? model
  if (answered !== model) headers['x-weir-fallback'] = asHeader(answered.id)
  if (!isShown || record.backend === null) return headers
  headers['x-weir-backend'] = asHeader(record.backend)
  headers['x-weir-attempts'] = String(record.attempts)
  headers['x-weir-model'] = asHeader(record.tries.at(-1)?.model ?? '')
  return headers
}

/** Names may have letters that headers have not: those are in percent, as in a URL. */
const asHeader = (name: string): string => name.replace(/[^ -~]+/gu, letters => encodeURIComponent(letters))
