import type { Complaint } from './problem.ts'

const notUrl: Complaint = { problem: 'This is no URL.', fix: 'Write one such as http://127.0.0.1:8080.' }
const schemeOf = (text: string): string | undefined => /^\s*([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase()
const neitherHttp = 'The URL begins with neither http:// nor https://.'

/** What is wrong with the text in the place of a backend's URL, and the same text mended where that can be shown. */
export function httpUrlFault(text: string): Complaint {
  const scheme = schemeOf(text)
  if (scheme === undefined) {
    const mended = looksLikeHost(text) ? mend(`http://${text}`) : undefined
    return mended === undefined
      ? { problem: 'This is no URL: http:// is missing.', fix: notUrl.fix }
      : { problem: 'http:// is missing.', fix: `Write ${mended}.` }
  }
  if (scheme !== 'http' && scheme !== 'https') {
    return { problem: neitherHttp, fix: notUrl.fix }
  }
  const mended = mend(text)
  if (mended === undefined) return notUrl
  if (text.includes('?')) return { problem: 'The URL has a query.', fix: `Leave out the query: write ${mended}.` }
  if (text.includes('#')) return { problem: 'The URL has a fragment.', fix: `Leave it out: write ${mended}.` }
  return { problem: notUrl.problem, fix: `Write ${mended}.` }
}

/** What is wrong with the text in the place of a webhook's URL, of which nothing is repeated: see redactHookUrl. */
export function hookUrlFault(text: string): Complaint {
  const fix = 'Write one such as https://billing.example.com/weir.'
  const scheme = schemeOf(text)
  if (scheme === undefined) return { problem: 'This is no URL: https:// is missing.', fix }
  if (scheme !== 'http' && scheme !== 'https') return { problem: neitherHttp, fix }
  if (text.includes('#')) return { problem: 'The URL has a fragment.', fix: 'Leave out what follows the #.' }
  return { problem: notUrl.problem, fix }
}

/** The URL as Weir wants it: without query, and without the /v1 that Weir adds. Undefined where that would show a login. */
function mend(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || url.hostname === '' || url.username !== '' || url.password !== '') return undefined
  return withoutV1(url)
}

export function withoutV1({ origin, pathname }: URL): string {
  return `${origin}${pathname.replace(/(\/v1)?\/?$/, '')}`
}

/** A port or a name with dots; a word alone may be a secret in the wrong place, and is not repeated. */
function looksLikeHost(text: string): boolean {
  return /^(localhost|\[[0-9a-f:]+\]|[a-z0-9-]+(\.[a-z0-9-]+)+|[a-z0-9.-]+(?=:[0-9]))(:[0-9]{1,5})?([/?#]\S*)?$/i.test(
    text,
  )
}
