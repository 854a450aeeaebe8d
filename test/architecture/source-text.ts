/** What a file imports and exports, read by pattern from its text: the formatter keeps both in one form. */
import { posix } from 'node:path'

export interface Import {
  /** As written: `./app.ts`, `fastify`. */
  readonly from: string
  /** Of our own files the path from the root; null for a package. */
  readonly file: string | null
  /** What is imported by name; `*` for everything, `default` for the default. */
  readonly names: readonly string[]
}

export interface Export {
  readonly name: string
  readonly isType: boolean
}

/** Drops comments that have a line of their own; others are left, since a URL in a string looks like one. */
export function withoutComments(text: string): string {
  return text.replace(/^[ \t]*\/\*[\s\S]*?\*\/[ \t]*$/gm, '').replace(/^[ \t]*\/\/.*$/gm, '')
}

const statement = /(?:^|\n)(?:import|export)\s(?:type\s)?((?:(?!\n(?:import|export)\s)[^'"`;])*?)\sfrom\s'([^']+)'/g
const sideEffect = /(?:^|\n)import\s'([^']+)'/g
const dynamic = /\bimport\('([^']+)'\)/g
/** Files that run in a worker or a child are named by a URL beside the one that starts them. */
const entry = /new URL\('([^']+\.ts)', import\.meta\.url\)/g

export function readImports(path: string, code: string): Import[] {
  const found: Import[] = []
  const add = (from: string, names: readonly string[]) => found.push({ from, file: resolveFile(path, from), names })
  for (const [, clause = '', from = ''] of code.matchAll(statement)) add(from, importedNames(clause))
  for (const [, from = ''] of code.matchAll(sideEffect)) add(from, [])
  for (const [, from = ''] of code.matchAll(dynamic)) add(from, ['*'])
  for (const [, from = ''] of code.matchAll(entry)) add(from.startsWith('.') ? from : `./${from}`, [])
  return found
}

function importedNames(clause: string): string[] {
  const [, before = '', inner] = /^([^{]*)(?:\{([\s\S]*)\})?/.exec(clause) ?? []
  const named = (inner ?? '').split(',').flatMap(item => /^\s*(?:type\s+)?([\w$]+)/.exec(item)?.[1] ?? [])
  if (before.includes('*')) return ['*', ...named]
  return /[\w$]/.test(before) ? ['default', ...named] : named
}

function resolveFile(path: string, from: string): string | null {
  return from.startsWith('.') ? posix.join(posix.dirname(path), from) : null
}

const declaration =
  /(?:^|\n)export (?:async )?(?:abstract )?(const|let|function\*?|class|interface|type|default|enum) ?([\w$]*)/g

export function readExports(code: string): Export[] {
  return [...code.matchAll(declaration)].map(([, kind = '', name = '']) => ({
    name: kind === 'default' ? 'default' : name,
    isType: kind === 'interface' || kind === 'type',
  }))
}
