import type { ErrorObject } from 'ajv'
import { WeirError } from '../errors.ts'
import { formatPath, type PathStep } from './param-path.ts'

/**
 * One sentence from what Ajv found: what is wrong, where, and what is allowed. Values are only named by their kind,
 * except numbers and short plain words: a prompt must not come back in an error or reach the log.
 */
export function explainInvalid(errors: readonly ErrorObject[], data: unknown, part?: string): WeirError {
  if (part === 'body' && data === null) {
    return new WeirError('invalidRequest', 'The request body is empty: send a JSON object.')
  }
  const chosen = chooseErrors(errors)
  const first = chosen[0]
  if (first === undefined) return new WeirError('invalidRequest', 'The request is not valid.')
  const param = formatPath(stepsOf(first, data))
  const subject = param === '' ? 'The request body' : param
  const message = `${subject} ${explain(first, chosen)}.`
  return new WeirError('invalidRequest', message, param === '' ? {} : { param })
}

/** Verdicts about other verdicts: "matches none of these". What they are about is more use. */
const compound = new Set(['anyOf', 'oneOf', 'allOf', 'if', 'propertyNames'])

/**
 * Where a union fails, every branch has complained. A branch that did not even take the value's type, or its first
 * item's, was not meant; of the others the one that got furthest into the value was. Left over may be complaints about
 * the type of one place, which are told together.
 */
function chooseErrors(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  let best: ErrorObject[] = []
  for (const error of errors) {
    if (compound.has(error.keyword)) continue
    const order = best[0] === undefined ? 1 : compare(error, best[0])
    if (order > 0) best = [error]
    else if (order === 0) best.push(error)
  }
  return best.length > 0 ? best : errors.slice(0, 1)
}

function compare(a: ErrorObject, b: ErrorObject): number {
  return (
    Number(isDismissal(b)) - Number(isDismissal(a)) ||
    depthOf(a) - depthOf(b) ||
    lastIndexOf(a) - lastIndexOf(b) ||
    Number(isAboutType(b)) - Number(isAboutType(a))
  )
}

function isDismissal(error: ErrorObject): boolean {
  return isAboutType(error) && lastIndexOf(error) === 0
}

function isAboutType({ keyword, data }: ErrorObject): boolean {
  return keyword === 'type' || (keyword === 'enum' && typeof data !== 'string')
}

function depthOf(error: ErrorObject): number {
  return error.instancePath.split('/').length + (lastStepOf(error) === undefined ? 0 : 1)
}

/** Of two branches that look into the same list, the one that fails later was meant. */
function lastIndexOf({ instancePath }: ErrorObject): number {
  return Number(/\/([0-9]{1,9})$/.exec(instancePath)?.[1] ?? 0)
}

/** The field an error is about, where its path ends at the object that has or lacks it. */
function lastStepOf({ params, propertyName }: ErrorObject): string | undefined {
  const { missingProperty, additionalProperty, tag } = params as Record<string, string | undefined>
  return missingProperty ?? additionalProperty ?? propertyName ?? tag
}

function stepsOf(error: ErrorObject, data: unknown): PathStep[] {
  const steps: PathStep[] = []
  let value = data
  for (const raw of error.instancePath.split('/').slice(1)) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~')
    steps.push(Array.isArray(value) ? Number(key) : key)
    value = (value as Record<string, unknown>)[key]
  }
  const last = lastStepOf(error)
  return last === undefined ? steps : [...steps, last]
}

function explain(error: ErrorObject, chosen: readonly ErrorObject[]): string {
  const { keyword, params, parentSchema, data } = error
  const expects: unknown = parentSchema?.['x-expects']
  if (error.propertyName !== undefined) {
    return `is not an allowed key${typeof expects === 'string' ? `: a key here must be ${expects}` : ''}`
  }
  switch (keyword) {
    case 'type':
    case 'enum':
    case 'const':
      return `must be ${joinOr(chosen.flatMap(allowedBy))}; it is ${keyword === 'type' ? kindOf(data) : sayWord(data)}`
    case 'required':
      return 'is required'
    case 'additionalProperties':
      return 'is not a known field'
    case 'discriminator':
      return explainTag(error)
    case 'pattern':
      return typeof expects === 'string' ? `must be ${expects}` : 'does not have the form that is expected'
    default:
      return explainBound(keyword, params.limit as number, data)
  }
}

function allowedBy({ keyword, params }: ErrorObject): string[] {
  if (keyword === 'type') return [params.type as string | string[]].flat().map(nameOfType)
  if (keyword === 'enum') return (params.allowedValues as unknown[]).map(quote)
  return keyword === 'const' ? [quote(params.allowedValue)] : []
}

function explainBound(keyword: string, limit: number, data: unknown): string {
  const few = (unit: string) => (limit === 1 ? 'must not be empty' : `must have at least ${limit} ${unit}`)
  switch (keyword) {
    case 'minimum':
      return `must be at least ${limit}; it is ${kindOf(data)}`
    case 'maximum':
      return `must be at most ${limit}; it is ${kindOf(data)}`
    case 'exclusiveMinimum':
      return `must be more than ${limit}; it is ${kindOf(data)}`
    case 'exclusiveMaximum':
      return `must be less than ${limit}; it is ${kindOf(data)}`
    case 'minLength':
      return few('characters')
    case 'minItems':
      return few('items')
    case 'minProperties':
      return few('keys')
    case 'maxLength':
      return `must have at most ${limit} characters; it has ${String(data).length}`
    case 'maxItems':
      return `must have at most ${limit} items; it has ${Array.isArray(data) ? data.length : 'more'}`
    case 'maxProperties':
      return `must have at most ${limit} keys; it has ${Object.keys(data as object).length}`
    case 'uniqueItems':
      return 'must not have the same item twice'
    default:
      return 'is not allowed'
  }
}

/** The field that says which kind of object this is holds something else than any kind's name. */
function explainTag({ params, parentSchema }: ErrorObject): string {
  const tag = String(params.tag)
  const branches = (parentSchema?.oneOf ?? []) as { properties?: Record<string, { const?: unknown }> }[]
  const names = branches.map(branch => quote(branch.properties?.[tag]?.const))
  if (params.tagValue === undefined) return `is required, and must be ${joinOr(names)}`
  return `must be ${joinOr(names)}; it is ${sayWord(params.tagValue)}`
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'a boolean',
  object: 'an object',
  array: 'an array',
  null: 'null',
}

function nameOfType(type: string): string {
  return typeNames[type] ?? type
}

function kindOf(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'string' ? 'a string' : 'an object'
}

/** For a value that stands where one of a few words belongs. */
function sayWord(value: unknown): string {
  return typeof value === 'string' && /^[A-Za-z0-9_.-]{1,40}$/.test(value) ? `'${value}'` : kindOf(value)
}

function quote(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}

function joinOr(names: readonly string[]): string {
  const unique = [...new Set(names)]
  const last = unique.pop() ?? ''
  return unique.length === 0 ? last : `${unique.join(', ')} or ${last}`
}
