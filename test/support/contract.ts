import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

interface Operation {
  readonly responses: Readonly<Record<string, { content?: Record<string, object>; headers?: Record<string, object> }>>
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

export interface Answered {
  readonly method: string
  /** Of the URL, as it was sent. */
  readonly path: string
  readonly status: number
  readonly header: (name: string) => string | null
}

/** The promises of an OpenAPI document, to hold answers against. Each method returns what is wrong, or null. */
export interface Contract {
  checkHead(answered: Answered): string | null
  checkBody(answered: Answered, text: string): string | null
  /** The data of one event. */
  checkEvent(answered: Answered, data: string): string | null
}

const known = new Map<string, Contract>()

/** Every gateway in a process has the same document: it is compiled once. */
export function contractOf(document: object): Contract {
  const text = JSON.stringify(document)
  const contract = known.get(text) ?? buildContract(JSON.parse(text))
  known.set(text, contract)
  return contract
}

function buildContract(document: Document): Contract {
  const ajv = new Ajv2020({ strict: false, allErrors: false, formats: { binary: true } })
  ajv.addSchema({ ...document, $id: 'openapi' })
  const validators = new Map<string, ValidateFunction>()
  const explain = (pointer: string, value: unknown): string | null => {
    const validate = validators.get(pointer) ?? ajv.compile({ $ref: `openapi#${pointer}` })
    validators.set(pointer, validate)
    if (validate(value)) return null
    return `${ajv.errorsText(validate.errors, { dataVar: 'it' })}: ${JSON.stringify(value).slice(0, 500)}`
  }
  const checkContent = (answered: Answered, type: string, value: unknown) => {
    const place = findPlace(document, answered)
    return explain(place === null ? errorPointer : `${place}/content/${encode(type)}/schema`, value)
  }
  return {
    checkHead: answered => checkHead(document, answered, explain),
    checkBody(answered, text) {
      const type = mediaType(answered)
      const value = type === 'application/json' ? parse(text) : text
      return value === undefined ? `the body is not JSON: ${text.slice(0, 200)}` : checkContent(answered, type, value)
    },
    checkEvent(answered, data) {
      if (data === '[DONE]') return null
      const value = parse(data)
      return value === undefined
        ? `not JSON: ${data.slice(0, 200)}`
        : checkContent(answered, 'text/event-stream', value)
    },
  }
}

const errorPointer = '/components/schemas/Error'

/** Pages, not API: they are not in the document. */
const undocumented = /^\/docs(\/|$)/

function checkHead(
  document: Document,
  answered: Answered,
  explain: (pointer: string, value: unknown) => string | null,
): string | null {
  const { method, path, status, header } = answered
  if (header('server') !== null || header('x-powered-by') !== null) return 'a header tells what the server is'
  if (undocumented.test(path)) return null
  const place = findPlace(document, answered)
  if (place === null) {
    // What the document does not know can only be refused, in the shape of every error.
    const isRefusal = findOperation(document, answered) === null && status >= 400
    return isRefusal && mediaType(answered) === 'application/json'
      ? null
      : `${method} ${path} is not documented to answer ${status} with ${mediaType(answered)}`
  }
  const { content = {}, headers = {} } = findOperation(document, answered)?.operation.responses[status] ?? {}
  const type = mediaType(answered)
  if (content[type] === undefined) return `${status} with ${type || 'no media type'} is not documented`
  for (const name of Object.keys(headers)) {
    const value = header(name)
    const fault = value === null ? null : explain(`/components/headers/${name}/schema`, value)
    if (fault !== null) return `the header ${name}: ${fault}`
  }
  return null
}

function findOperation(document: Document, { method, path }: Answered) {
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase()
  for (const [template, operations] of Object.entries(document.paths)) {
    const operation = operations[verb]
    // The name of a model may hold slashes.
    const pattern = new RegExp(`^${template.replaceAll(/\{\w+\}/g, '.+')}$`)
    if (operation !== undefined && pattern.test(path))
      return { operation, pointer: `/paths/${encode(template)}/${verb}` }
  }
  return null
}

function findPlace(document: Document, answered: Answered): string | null {
  const found = findOperation(document, answered)
  if (found?.operation.responses[answered.status] === undefined) return null
  return `${found.pointer}/responses/${answered.status}`
}

const mediaType = ({ header }: Answered) => (header('content-type') ?? '').split(';', 1)[0]?.trim() ?? ''

/** As a step of a JSON pointer within an URI's fragment. */
const encode = (step: string) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
