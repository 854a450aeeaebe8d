/** One step into a JSON value: a key or an index. */
export type PathStep = string | number

const maxKeyLength = 64
const maxPathLength = 256

/**
 * A path as callers read it in an error's `param`: `messages[0].content[1].image_url.url`. Keys that are no plain names
 * are quoted, and what a caller made overlong is cut, because the path goes back out and into the log.
 */
export function formatPath(steps: readonly PathStep[]): string {
  let path = ''
  for (const step of steps) {
    if (typeof step === 'number') path += `[${step}]`
    else if (/^[A-Za-z_$][A-Za-z0-9_$-]{0,63}$/.test(step)) path += path === '' ? step : `.${step}`
    else path += `[${JSON.stringify(step.slice(0, maxKeyLength)).replace(/[^\x20-\x7e]/g, '?')}]`
    if (path.length > maxPathLength) return `${path.slice(0, maxPathLength)}…`
  }
  return path
}
