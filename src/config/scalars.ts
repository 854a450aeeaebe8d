import { hookUrlFault, httpUrlFault } from './http-url.ts'
import { didYouMean } from './nearest.ts'
import type { Complaint } from './problem.ts'
import type { SchemaNode } from './schema-node.ts'
import { formatByteSize, formatDuration, guessByteSize, guessDuration, parseByteSize, parseDuration } from './units.ts'
import type { Written } from './written.ts'

export type ScalarResult =
  | { readonly kind: 'value'; readonly value: string | number | boolean }
  | { readonly kind: 'complaint'; readonly complaint: Complaint }

const value = (value: string | number | boolean): ScalarResult => ({ kind: 'value', value })
const complain = (problem: string, fix: string): ScalarResult => ({ kind: 'complaint', complaint: { problem, fix } })

/** The longest wait a timer of Node can have is 2^31 - 1 ms; a longer one would end at once. */
const longestDurationMs = 24 * 86_400_000

/** Checks one text, number or truth value; a duration comes out in milliseconds and a size in bytes. */
export function checkScalar(schema: SchemaNode, written: Written): ScalarResult {
  if (written.kind !== 'scalar') return complain('A single value is expected here.', `Write ${exampleOf(schema)}.`)
  if (written.value === null) return complain('The key has no value.', `Write ${exampleOf(schema)}, or remove the key.`)
  switch (schema.type) {
    case 'boolean':
      return typeof written.value === 'boolean'
        ? value(written.value)
        : complain('This is neither true nor false.', 'Write `true` or `false`, without quotes.')
    case 'integer':
    case 'number':
      return checkNumber(schema, written.value)
    default:
      return checkText(schema, written.value, written.source)
  }
}

function checkNumber(schema: SchemaNode, given: string | number | boolean): ScalarResult {
  const kind = schema.type === 'integer' ? 'whole number' : 'number'
  const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = schema
  const range = `from ${minimum} to ${maximum}`
  const fix = `Write a ${kind} ${range}, without quotes${schema.default === undefined ? '' : `; the default is ${schema.default}`}.`
  if (typeof given !== 'number' || !Number.isFinite(given)) return complain(`This is not a ${kind}.`, fix)
  if (schema.type === 'integer' && !Number.isInteger(given)) return complain(`${given} is not a ${kind}.`, fix)
  return given < minimum || given > maximum ? complain(`${given} is not ${range}.`, fix) : value(given)
}

function checkText(schema: SchemaNode, given: string | number | boolean, source: string): ScalarResult {
  const unit = schema['x-weir-unit']
  if (unit === 'duration' || unit === 'bytes') return checkUnit(schema, unit, String(given))
  if (typeof given !== 'string') {
    return complain('Text is expected here.', `Put it in quotes: "${source === '' ? String(given) : source}".`)
  }
  if (unit === 'money') return checkMoney(schema, given)
  if (schema.enum) {
    const choices = `Write one of ${schema.enum.join(', ')}.`
    return schema.enum.includes(given)
      ? value(given)
      : complain(
          `${shown(given)} is not one of the choices.`,
          `${didYouMean(given, schema.enum, '')} ${choices}`.trim(),
        )
  }
  if (given.length < (schema.minLength ?? 0)) return complain('The text is empty.', `Write ${exampleOf(schema)}.`)
  if ([...given].length > (schema.maxLength ?? Number.POSITIVE_INFINITY)) {
    return complain(`The text is longer than ${schema.maxLength} characters.`, 'Shorten it.')
  }
  if (schema.format === 'date' && !isDate(given)) {
    return complain(`${shown(given)} is not a date.`, 'Write year, month and day, such as 2026-01-31.')
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(given)) {
    if (unit === 'url') return { kind: 'complaint', complaint: httpUrlFault(given) }
    if (unit === 'hook-url') return { kind: 'complaint', complaint: hookUrlFault(given) }
    return complain('The text has not the form that is expected here.', `Write ${exampleOf(schema)}.`)
  }
  return value(given)
}

function checkUnit(schema: SchemaNode, unit: 'duration' | 'bytes', text: string): ScalarResult {
  const [noun, parse, guess, format] =
    unit === 'duration'
      ? (['duration', parseDuration, guessDuration, formatDuration] as const)
      : (['size', parseByteSize, guessByteSize, formatByteSize] as const)
  const amount = parse(text)
  if (amount === undefined) {
    const units = unit === 'duration' ? 'ms, s, m, h or d' : 'B, KiB, MiB or GiB'
    const guessed = guess(text)
    const near = guessed === undefined ? '' : `Did you mean ${guessed}? `
    return complain(
      `${shown(text)} is not a ${noun}.`,
      `${near}Write a whole number and ${units}, such as ${exampleOf(schema)}.`,
    )
  }
  const least = parse(schema['x-weir-least'] ?? '') ?? (unit === 'duration' ? 1 : 0)
  const most = parse(schema['x-weir-most'] ?? '') ?? (unit === 'duration' ? longestDurationMs : Number.MAX_SAFE_INTEGER)
  if (amount >= least && amount <= most) return value(amount)
  return complain(`${text} is out of range.`, `Write a ${noun} from ${format(least)} to ${format(most)}.`)
}

function checkMoney(schema: SchemaNode, text: string): ScalarResult {
  if (!new RegExp(schema.pattern ?? '', 'u').test(text)) {
    const decimals = /\{1,(\d+)\}\)\?\$$/.exec(schema.pattern ?? '')?.[1] ?? '0'
    return complain(
      `${shown(text)} is not an amount.`,
      `Write digits, a point and at most ${decimals} decimals in quotes, such as "0.50".`,
    )
  }
  const most = schema['x-weir-most']
  if (most === undefined || Number(text) <= Number(most)) return value(text)
  return complain(`${text} is more than can be counted exactly.`, `Write at most ${most}.`)
}

/** A calendar day that exists, as the JSON Schema format `date` has it. */
function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const time = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text)
}

/** What was written, where it is short enough to help; a long text may be a secret in the wrong place. */
const shown = (text: string) => (text.length <= 24 ? JSON.stringify(text) : 'The text')

function exampleOf(schema: SchemaNode): string {
  if (schema['x-weir-form'] !== undefined) return schema['x-weir-form']
  const [first, ...others] = (schema.examples ?? schema.enum ?? []).map(String)
  if (first === undefined) return schema.default === undefined ? 'a value' : `a value such as ${schema.default}`
  const last = others.pop()
  return last === undefined ? first : `${[first, ...others].join(', ')} or ${last}`
}
