/**
 * `node scripts/compare-openapi.ts BASE HEAD`: two OpenAPI documents, and what of the second breaks a caller of the first, one
 * line each. Ends with 1 where there is such a line. A caller is broken by what it may no longer send, what it must send now,
 * and what it is no longer told.
 */
import { readFileSync } from 'node:fs'

interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
}
type Content = Readonly<Record<string, { readonly schema?: Schema }>>
interface Operation {
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly schema?: Schema
  }[]
  readonly requestBody?: { readonly required?: boolean; readonly content: Content }
  readonly responses?: Readonly<Record<string, { readonly content?: Content }>>
}
export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> }
}
type Side = 'request' | 'response'
interface Pair<Value> {
  readonly base: Value
  readonly head: Value
}

/** What breaks a caller, in the order of the base's paths; empty where nothing does. */
export function findBreaks(documents: Pair<Document>): string[] {
  return Object.entries(documents.base.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, base]) => {
      const where = `${method.toUpperCase()} ${path}`
      const head = documents.head.paths[path]?.[method]
      return head === undefined ? [`${where}: is gone`] : breaksOfOperation({ base, head }, where, documents)
    }),
  )
}

function breaksOfOperation({ base, head }: Pair<Operation>, where: string, documents: Pair<Document>): string[] {
  const parameterOf = ({ parameters = [] }: Operation, like: { name: string; in: string }) =>
    parameters.find(({ name, in: place }) => name === like.name && place === like.in)
  const gone = (base.parameters ?? []).filter(parameter => parameterOf(head, parameter) === undefined)
  const demanded = (head.parameters ?? []).filter(
    parameter => parameter.required === true && parameterOf(base, parameter)?.required !== true,
  )
  const answers = Object.entries(base.responses ?? {}).flatMap(([status, response]) => {
    const answer = head.responses?.[status]
    // An error may stop being possible; what a success says may not.
    if (answer === undefined) return status.startsWith('2') ? [`${where}: is no longer answered ${status}`] : []
    const pair = { base: response.content, head: answer.content }
    return breaksOfContent(pair, { where: `${where} ${status}`, side: 'response' }, documents)
  })
  const bodies = { base: base.requestBody?.content, head: head.requestBody?.content }
  return [
    ...gone.map(({ name }) => `${where}: the parameter ${name} is gone`),
    ...demanded.map(({ name }) => `${where}: the parameter ${name} has to be given now`),
    ...breaksOfContent(bodies, { where, side: 'request' }, documents),
    ...answers,
  ]
}

interface At {
  readonly where: string
  readonly side: Side
}

function breaksOfContent({ base = {}, head = {} }: Pair<Content | undefined>, at: At, documents: Pair<Document>) {
  return Object.entries(base).flatMap(([type, { schema }]) => {
    const other = head[type]
    if (other === undefined) return [`${at.where}: ${type} is gone`]
    if (schema === undefined || other.schema === undefined) return []
    return breaksOfSchema({ base: schema, head: other.schema }, at, { documents, seen: new Set() })
  })
}

interface Walk {
  readonly documents: Pair<Document>
  /** Schemas that contain themselves are walked once. */
  readonly seen: ReadonlySet<string>
}

function breaksOfSchema(pair: Pair<Schema>, at: At, { documents, seen }: Walk): string[] {
  const name = pair.base.$ref
  if (name !== undefined && seen.has(name)) return []
  const base = resolve(pair.base, documents.base)
  const head = resolve(pair.head, documents.head)
  const walk = { documents, seen: name === undefined ? seen : new Set([...seen, name]) }
  const breaks = breaksOfValues({ base, head }, at)
  for (const [key, schema] of Object.entries(base.properties ?? {})) {
    const other = head.properties?.[key]
    const inside = { ...at, where: `${at.where} ${key}` }
    if (other === undefined) breaks.push(`${inside.where}: is gone`)
    else breaks.push(...breaksOfSchema({ base: schema, head: other }, inside, walk))
  }
  const [mustBefore, mustNow] = [new Set(base.required), new Set(head.required)]
  if (at.side === 'request') {
    for (const key of mustNow) if (!mustBefore.has(key)) breaks.push(`${at.where} ${key}: has to be given now`)
  } else {
    for (const key of mustBefore) if (!mustNow.has(key)) breaks.push(`${at.where} ${key}: may be missing now`)
  }
  if (base.items && head.items) {
    breaks.push(...breaksOfSchema({ base: base.items, head: head.items }, { ...at, where: `${at.where}[]` }, walk))
  }
  return breaks
}

/** Types and listed values: what is sent may become wider, what is answered may become narrower. */
function breaksOfValues({ base, head }: Pair<Schema>, { where, side }: At): string[] {
  const lists = [
    { what: 'type', before: base.type === undefined ? [] : [base.type].flat(), now: [head.type ?? []].flat() },
    { what: 'value', before: base.enum ?? [], now: head.enum ?? [] },
  ]
  return lists.flatMap(({ what, before, now }) => {
    if (before.length === 0 || now.length === 0) return []
    const [from, to] = side === 'request' ? [before, now] : [now, before]
    const verb = side === 'request' ? 'is no longer taken' : 'is new'
    return from.filter(value => !to.includes(value as string)).map(value => `${where}: the ${what} ${value} ${verb}`)
  })
}

function resolve(schema: Schema, { components }: Document): Schema {
  const name = schema.$ref?.replace('#/components/schemas/', '')
  return name === undefined ? schema : (components?.schemas?.[name] ?? schema)
}

if (import.meta.main) {
  const [base, head] = process.argv.slice(2).map((path): Document => JSON.parse(readFileSync(path, 'utf8')))
  if (base === undefined || head === undefined) throw new Error('Usage: node scripts/compare-openapi.ts BASE HEAD')
  const breaks = findBreaks({ base, head })
  for (const line of breaks) process.stdout.write(`${line}\n`)
  process.stdout.write(`${breaks.length} changes break callers\n`)
  if (breaks.length > 0) process.exitCode = 1
}
