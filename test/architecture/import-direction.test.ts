import { deepStrictEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { dashboards, missingFiles, program, type SourceFile } from './source-file.ts'

type Layer = 'app' | 'routes' | 'plugins' | 'rim' | 'domain' | 'schemas' | 'errors'

/** The files that put everything together; the only ones of src that know plugins and routes. */
const composition = new Set([
  'src/app.ts',
  'src/server.ts',
  'src/stop.ts',
  'src/start-error.ts',
  'src/cli.ts',
  'src/banner.ts',
])

const mayImport: Readonly<Record<Layer, readonly Layer[]>> = {
  app: ['app', 'routes', 'plugins', 'rim', 'domain', 'schemas', 'errors'],
  routes: ['routes', 'plugins', 'rim', 'domain', 'schemas', 'errors'],
  plugins: ['plugins', 'rim', 'domain', 'schemas', 'errors'],
  rim: ['rim', 'domain', 'schemas', 'errors'],
  domain: ['domain', 'schemas', 'errors'],
  schemas: ['schemas', 'errors'],
  errors: [],
}

function layerOf(path: string): Layer {
  if (composition.has(path)) return 'app'
  const [top, second] = path.split('/')
  if (top === 'routes' || top === 'plugins') return top
  if (second === 'domain' || second === 'schemas') return second
  return second === 'errors.ts' ? 'errors' : 'rim'
}

/** Each import of our own files that `isWrong` objects to. */
function wrongImports(files: readonly SourceFile[], isWrong: (from: string, to: string) => boolean): string[] {
  return files.flatMap(({ path, imports }) =>
    imports.flatMap(({ file }) => (file?.endsWith('.ts') && isWrong(path, file) ? [`${path} → ${file}`] : [])),
  )
}

/** Each package that `isWrong` objects to. */
function wrongPackages(files: readonly SourceFile[], isWrong: (name: string) => boolean): string[] {
  return files.flatMap(({ path, imports }) =>
    imports.flatMap(({ from, file }) => (file === null && isWrong(from) ? [`${path} → ${from}`] : [])),
  )
}

const inLayer = (layer: Layer) => program.filter(({ path }) => layerOf(path) === layer)

test('every import leads to a file', () => {
  deepStrictEqual(missingFiles, [])
})

test('imports go routes → plugins → src → src/domain and never back', () => {
  deepStrictEqual(
    wrongImports(program, (from, to) => !mayImport[layerOf(from)].includes(layerOf(to))),
    [],
  )
})

test('of src only the table of contents and the server know plugins and routes', () => {
  const allowed = new Set(['src/app.ts', 'src/server.ts'])
  const inside = program.filter(({ path }) => path.startsWith('src/') && !allowed.has(path))
  deepStrictEqual(
    wrongImports(inside, (_from, to) => /^(plugins|routes)\//.test(to)),
    [],
  )
})

test('src/domain is pure: of packages it uses digests and buffers only', () => {
  ok(inLayer('domain').length > 5)
  deepStrictEqual(
    wrongPackages(inLayer('domain'), name => name !== 'node:crypto' && name !== 'node:buffer'),
    [],
  )
})

test('src/schemas knows TypeBox and what compiles schemas, no framework, and TypeBox comes through one module', () => {
  const allowed = /^(@sinclair\/typebox(\/.*)?|ajv(\/.*)?|fast-json-stringify)$/
  deepStrictEqual(
    wrongPackages(inLayer('schemas'), name => !allowed.test(name)),
    [],
  )
  const users = program.filter(({ imports }) => imports.some(({ from }) => from === '@sinclair/typebox'))
  deepStrictEqual(
    users.map(({ path }) => path),
    ['src/schemas/typebox.ts'],
  )
})

test('Fastify is known to the composition, plugins and routes only', () => {
  deepStrictEqual(
    wrongPackages([...inLayer('rim'), ...inLayer('errors')], name => /^(@fastify\/|fastify)/.test(name)),
    [],
  )
})

test('the dashboards know nothing of the program, nor it of them', () => {
  ok(dashboards.length > 5)
  const isTheirs = (path: string) => path.startsWith('monitoring/')
  deepStrictEqual(
    wrongImports([...program, ...dashboards], (from, to) => isTheirs(from) !== isTheirs(to)),
    [],
  )
})

test('only src/config.ts reads the environment', () => {
  const readers = program.filter(({ code }) =>
    /\bprocess\s*(\.env\b|\['env'\])|\{[^}]*\benv\b[^}]*\} = process\b/.test(code),
  )
  deepStrictEqual(
    readers.map(({ path }) => path),
    ['src/config.ts'],
  )
})
