/**
 * The kinds of value weir.yaml has beyond YAML's own. Each is a string in the file with its unit in it, and a number in
 * the program with its unit in the name: a duration `idle: 30s` becomes `idleMs`, a size `maxBody: 8MiB` becomes
 * `maxBodyBytes` (see Resolved in src/config/resolved.ts).
 */
import { Type } from '../typebox.ts'

declare const unit: unique symbol
export type Duration = string & { readonly [unit]: 'duration' }
export type ByteSize = string & { readonly [unit]: 'bytes' }
export type Money = string & { readonly [unit]: 'money' }
export type Secret = string & { readonly [unit]: 'secret' }

interface Options {
  readonly description: string
  readonly default?: unknown
  /** The least and the most that may be written; a duration is from 1ms to 24d without them. */
  readonly 'x-weir-least'?: string
  readonly 'x-weir-most'?: string
}

export const DurationSchema = (options: Options) =>
  Type.Unsafe<Duration>(
    Type.String({
      pattern: '^[0-9]{1,9}(ms|s|m|h|d)$',
      'x-weir-unit': 'duration',
      examples: ['500ms', '30s', '10m'],
      ...options,
    }),
  )

export const ByteSizeSchema = (options: Options) =>
  Type.Unsafe<ByteSize>(
    Type.String({
      pattern: '^[0-9]{1,9}(B|KiB|MiB|GiB)$',
      'x-weir-unit': 'bytes',
      examples: ['64KiB', '8MiB'],
      ...options,
    }),
  )

/**
 * Decimal text, never a YAML float: 0.1 has no exact double. `decimals` is how finely the money of this key is counted:
 * prices per million tokens in millionths (whole pico-USD a token), everything else in nano-USD.
 */
export const MoneySchema = ({ decimals, ...options }: Options & { readonly decimals: 6 | 9 }) =>
  Type.Unsafe<Money>(
    Type.String({
      pattern: `^[0-9]{1,9}(\\.[0-9]{1,${decimals}})?$`,
      'x-weir-unit': 'money',
      examples: ['0.50'],
      ...options,
    }),
  )

/** A path; a relative one is relative to the file it stands in, or to where Weir was started. */
export const PathSchema = (options: Options) =>
  Type.String({ minLength: 1, maxLength: 4096, 'x-weir-unit': 'path', examples: ['./folder/file'], ...options })

/** A secret is never written into the file, only where to find it. */
export const SecretSchema = (options: Options) =>
  Type.Unsafe<Secret>(
    Type.Union(
      [
        Type.Object(
          {
            env: Type.String({
              pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$',
              description: 'The environment variable that has it.',
            }),
          },
          { additionalProperties: false },
        ),
        Type.Object(
          { file: Type.String({ minLength: 1, description: 'The file that has it, on one line.' }) },
          { additionalProperties: false },
        ),
      ],
      { 'x-weir-unit': 'secret', examples: [{ env: 'NAME' }, { file: '/run/secrets/name' }], ...options },
    ),
  )
