/** The W3C Trace Context that a request came with, https://www.w3.org/TR/trace-context/ §3.2. */

export interface TraceParent {
  readonly traceId: string
  readonly spanId: string
  readonly isSampled: boolean
}

/** Of version 00 it is the whole header; of a later one there may be more behind it, which nobody here knows. */
const form =
  /^(?:00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})|(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?)$/
const zeros = /^0+$/

/** Null where there is none, or one that is not well formed: then the trace begins here. */
export function parseTraceparent(header: string | string[] | undefined): TraceParent | null {
  if (typeof header !== 'string') return null
  const found = form.exec(header)
  const traceId = found?.[1] ?? found?.[4] ?? ''
  const spanId = found?.[2] ?? found?.[5] ?? ''
  const flags = found?.[3] ?? found?.[6] ?? ''
  if (traceId === '' || zeros.test(traceId) || zeros.test(spanId)) return null
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export const formatTraceparent = ({ traceId, spanId, isSampled }: TraceParent): string =>
  `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`
