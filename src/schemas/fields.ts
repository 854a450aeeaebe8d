/**
 * The kinds of field requests are made of. A kind that may be null says so in `type` itself and not by a union: one
 * check instead of several, and one plain sentence when it fails.
 */
import { type TSchema, Type } from './typebox.ts'

type Options = Readonly<Record<string, unknown>>

export const NullableNumber = (minimum: number, maximum: number, description: string) =>
  Type.Unsafe<number | null>({ type: ['number', 'null'], minimum, maximum, description })

export const NullableInteger = (minimum: number, maximum: number, description: string) =>
  Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum, maximum, description })

export const NullableBoolean = (description: string) =>
  Type.Unsafe<boolean | null>({ type: ['boolean', 'null'], description })

export const NullableText = (options: Options) => Type.Unsafe<string | null>({ type: ['string', 'null'], ...options })

export const OneOfTexts = <const Values extends readonly string[]>(values: Values, options: Options = {}) =>
  Type.Unsafe<Values[number]>({ type: 'string', enum: values, ...options })

export const NullableOneOfTexts = <const Values extends readonly string[]>(values: Values, options: Options = {}) =>
  Type.Unsafe<Values[number] | null>({ type: ['string', 'null'], enum: [...values, null], ...options })

/**
 * An object that says by the text in `tag` which of the schemas it follows; each must demand `tag` as a constant. The
 * schemas' names are those of the OpenAPI document's components.
 */
export const TaggedUnion = <Value>(tag: string, schemas: Readonly<Record<string, TSchema>>, options: Options = {}) =>
  Type.Unsafe<Value>({
    type: 'object',
    required: [tag],
    discriminator: { propertyName: tag },
    oneOf: Object.entries(schemas).map(([title, schema]) => ({ ...schema, title })),
    ...options,
  })

/** A text that is kept or logged: without NUL, which PostgreSQL cannot store, and without other control characters. */
export const storedText = {
  pattern: '^[^\\u0000-\\u001f\\u007f]*$',
  'x-expects': 'free of control characters',
} as const

export const nameOfFunction = {
  minLength: 1,
  maxLength: 128,
  pattern: '^[A-Za-z0-9_.:-]*$',
  'x-expects': 'made of letters, digits, and _ . : - only',
} as const
