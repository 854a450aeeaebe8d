import { isRecord } from './settings.ts'
import { badRequest } from './wire-error.ts'

/** A request's JSON object, read field by field: absent and null are undefined, a wrong type is a 400 that names it. */
export class RequestBody {
  readonly #fields: Readonly<Record<string, unknown>>

  constructor(value: unknown) {
    if (!isRecord(value)) throw badRequest('the request body must be a JSON object')
    this.#fields = value
  }

  unknown(name: string): unknown {
    return this.#fields[name] ?? undefined
  }

  number(name: string): number | undefined {
    const value = this.unknown(name)
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value
    throw badRequest(`'${name}' must be a number`)
  }

  boolean(name: string): boolean | undefined {
    const value = this.unknown(name)
    if (value === undefined || typeof value === 'boolean') return value
    throw badRequest(`'${name}' must be a boolean`)
  }

  object(name: string): RequestBody | undefined {
    const value = this.unknown(name)
    if (value === undefined) return undefined
    if (!isRecord(value)) throw badRequest(`'${name}' must be an object`)
    return new RequestBody(value)
  }

  array(name: string): readonly unknown[] | undefined {
    const value = this.unknown(name)
    if (value === undefined || Array.isArray(value)) return value
    throw badRequest(`'${name}' must be an array`)
  }

  /** A field that is one string or several, such as `stop`. */
  strings(name: string): readonly string[] {
    const value = this.unknown(name)
    if (value === undefined) return []
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    return list.map(item => {
      if (typeof item !== 'string') throw badRequest(`'${name}' must be a string or an array of strings`)
      return item
    })
  }
}
