/** Which of several kinds of answer a request would rather have. */

/** By the `accept` of a request. Where it wants none of them more than the first, it is that. */
export function preferredOf<Type extends string>(types: readonly [Type, ...Type[]], accept: string | undefined): Type {
  const qualities = new Map((accept ?? '').split(',').map(readQuality))
  const qualityOf = (type: Type) => qualities.get(type) ?? 0
  return types.reduce((best, type) => (qualityOf(type) > qualityOf(best) ? type : best), types[0])
}

/** Of one media range (RFC 9110 §12.5.1); one that nobody can read is not wanted. */
function readQuality(range: string): [type: string, quality: number] {
  const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
  const weight = parameters.find(part => part.startsWith('q='))
  const quality = weight === undefined ? 1 : Number(weight.slice(2))
  return [type, quality >= 0 && quality <= 1 ? quality : 0]
}
