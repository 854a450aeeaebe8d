import type { ByteSize, Duration, Money, Secret } from '../schemas/config/units.ts'

/** A duration `x` of the file is `xMs` in the program, a size `x` is `xBytes`; every other name stays. */
type Renamed<Name, Value> = Name extends string
  ? NonNullable<Value> extends Duration
    ? `${Name}Ms`
    : NonNullable<Value> extends ByteSize
      ? `${Name}Bytes`
      : Name
  : Name

/** What a value of the file becomes in the program: units are numbers, secrets are their text, all of it read-only. */
export type Resolved<Value> = Value extends Duration | ByteSize
  ? number
  : Value extends Money | Secret
    ? string
    : Value extends readonly (infer Item)[]
      ? readonly Resolved<Item>[]
      : Value extends object
        ? { readonly [Name in keyof Value as Renamed<Name, Value[Name]>]: Resolved<Value[Name]> }
        : Value
