import buildStringify, { type Schema } from 'fast-json-stringify'

type Stringify = (data: unknown) => string

const compiled = new WeakMap<object, Stringify>()

/**
 * What writes an answer as its schema says, and nothing that is not in it. Compiled when it is first used, and once for all
 * routes that share a schema: most answers are texts already, and to compile all at the start takes most of its time.
 */
export function compileSerializer({ schema }: { readonly schema: unknown }): Stringify {
  const key = schema as object
  return data => {
    let stringify = compiled.get(key)
    if (stringify === undefined) {
      stringify = buildStringify(schema as Schema) as Stringify
      compiled.set(key, stringify)
    }
    return stringify(data)
  }
}
