import { Ajv, type Options } from 'ajv'
import type { WeirError } from '../errors.ts'
import { explainInvalid } from './validation-error.ts'

type Validate = (data: unknown) => true | { error: WeirError }

export interface Validators {
  /** Compiles one schema of a route; `part` is `body`, `querystring`, `params` or `headers`. */
  readonly compile: (schema: unknown, part: string | undefined) => Validate
}

interface SharedSchema {
  readonly $id: string
}

/**
 * The validators of all routes, each compiled when it is first used: to compile all takes a good part of a start, and most
 * routes are seldom asked for. A body is taken as it stands: nothing is coerced, filled in or removed. Everything else
 * arrives as text, so there numbers and booleans are read from it and defaults apply.
 *
 * @param getShared the schemas that `$ref`s may name, by their `$id`.
 */
export function buildValidators(getShared: () => Readonly<Record<string, unknown>>): Validators {
  const strict = lazily(() => new Ajv({ ...options, coerceTypes: false, useDefaults: false, discriminator: true }))
  const lenient = lazily(() => new Ajv({ ...options, coerceTypes: 'array', useDefaults: true }))
  return {
    compile(schema, part) {
      const compiled = lazily(() => {
        const ajv = part === 'body' ? strict() : lenient()
        for (const shared of Object.values(getShared()) as SharedSchema[]) {
          if (ajv.getSchema(shared.$id) === undefined) ajv.addSchema(shared)
        }
        return ajv.compile(schema as object)
      })
      return data => {
        const validate = compiled()
        if (validate(data)) return true
        return { error: explainInvalid(validate.errors ?? [], data, part) }
      }
    },
  }
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

const options: Options = {
  allErrors: false,
  removeAdditional: false,
  // Each error then carries the value and the schema it was about: only paid for when there is one.
  verbose: true,
  strict: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  allowUnionTypes: true,
  addUsedSchema: false,
  // A length is one number then; counting characters would look at each of a text that is too long anyway.
  unicode: false,
  // It would only say that `unicode` may go one day; what is wrong with a schema is thrown.
  logger: false,
  keywords: ['example', 'x-expects', 'x-optional'],
}
