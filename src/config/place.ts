/** Where a value was written, and how such a place and a key are put into words. */

export type Place =
  | { readonly from: 'default' }
  | { readonly from: 'flag'; readonly name: string }
  | { readonly from: 'environment'; readonly name: string }
  | { readonly from: 'file'; readonly file: string; readonly line: number; readonly column: number }

export const byDefault: Place = { from: 'default' }

/** The steps from the root of weir.yaml to one value; numbers are places in a list. */
export type KeyPath = readonly (string | number)[]

/** A key as people read it: `models."qwen2.5".targets[0].backend`. */
export function dotted(path: KeyPath): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    // Model names carry dots and slashes, which would read as more steps.
    else text += `${text === '' ? '' : '.'}${/^[\w-]+$/.test(step) ? step : JSON.stringify(step)}`
  }
  return text
}

/** What `origins` says of a value: `flag --port`, `environment PORT`, `weir.yaml:12` or `default`. */
export function originOf(place: Place): string {
  switch (place.from) {
    case 'default':
      return 'default'
    case 'flag':
      return `flag ${place.name}`
    case 'environment':
      return `environment ${place.name}`
    case 'file':
      return `${place.file}:${place.line}`
  }
}
