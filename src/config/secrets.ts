import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Complaint } from './problem.ts'

const maxSecretBytes = 64 * 1024

/** The text of a secret, or why there is none. */
export type SecretResult =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'complaint'; readonly complaint: Complaint }

/** Reads a secret from a file, without the line break at its end. `path` is relative to the folder `baseDir`. */
export function readSecretFile(path: string, baseDir: string): SecretResult {
  const shown = JSON.stringify(path)
  try {
    const absolute = resolve(baseDir, path)
    const stats = statSync(absolute)
    if (stats.isDirectory()) return complain(`The file ${shown} is a folder.`, 'Name the file in it.')
    if (stats.size > maxSecretBytes) return complain(`The file ${shown} is too large.`, 'A secret has one short line.')
    const text = readFileSync(absolute, 'utf8').replace(/\r?\n$/, '')
    return text === '' ? complain(`The file ${shown} is empty.`, 'Write the secret into it.') : { kind: 'text', text }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') return complain(`There is no file ${shown}.`, 'Create it or correct its path.')
    return complain(
      `The file ${shown} cannot be read (${String(code)}).`,
      'Make it readable for the user that Weir runs as.',
    )
  }
}

/** Reads a secret from the environment; an empty variable counts as absent. */
export function readSecretVariable(name: string, env: NodeJS.ProcessEnv): SecretResult {
  const text = env[name]
  if (text !== undefined && text !== '') return { kind: 'text', text }
  return complain(`The environment has no ${name}.`, `Set ${name}, or remove this key.`)
}

function complain(problem: string, fix: string): SecretResult {
  return { kind: 'complaint', complaint: { problem, fix } }
}

const minKeyLength = 32
const longestRepeatedPart = 4
/** The words of which examples and templates make what stands where a secret belongs; a secret may begin with one. */
const placeholder =
  /^(please|change|replace|me|this|it|in|production|placeholder|your|own|my|super|with|a|an|the|long|random|strong|secret|admin|api|key|token|pepper|password|string|value|goes|here|to|by|of|at|least|characters|[0-9])+$/
const placeholderCall =
  /change.?(me|this|it)|replace.?(me|this|it|with)|placeholder|your.?(own.?)?(secret|admin|api|key|pepper|password)/i

/**
 * Why a key or pepper of our own must not be used: too short to resist guessing, known to everybody, or not sendable
 * in a header. Undefined when it may.
 */
export function weaknessOf(text: string): Complaint | undefined {
  const fix = 'Make one with `openssl rand -hex 32`.'
  if (text.length < minKeyLength) {
    return { problem: `The secret has ${text.length} characters, at least ${minKeyLength} are needed.`, fix }
  }
  if (isPlaceholder(text) || repeatsItself(text)) {
    return { problem: 'The secret is a placeholder or repeats itself.', fix }
  }
  return headerFault(text)
}

/** Whether all of it is what a template has there: a passphrase with such words among others is a secret like any. */
function isPlaceholder(text: string): boolean {
  return placeholderCall.test(text) && placeholder.test(text.toLowerCase().replace(/[^a-z0-9]/g, ''))
}

/** Whether the text is one very short part over and over, such as one letter or `1234`. */
function repeatsItself(text: string): boolean {
  return Array.from({ length: longestRepeatedPart }, (_, index) => text.slice(0, index + 1)).some(part =>
    part.repeat(Math.ceil(text.length / part.length)).startsWith(text),
  )
}

/** A secret that travels in a header: printable ASCII, no space at either end. */
export function headerFault(text: string): Complaint | undefined {
  if (/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text)) return undefined
  return {
    problem: 'The secret has a character that no HTTP header can carry, or a space at its end.',
    fix: 'Use letters, digits and punctuation of ASCII in one line.',
  }
}

/** The text that may be shown for the URL of a webhook: its origin. What follows is often what lets its sender in. */
export function redactHookUrl(text: string): string {
  const url = URL.parse(text)
  if (url === null) return '***'
  return url.pathname === '/' && url.search === '' ? url.origin : `${url.origin}/***`
}

/** The text that may be shown for a secret: `***`, or a store's URL with `***` for its login and query. */
export function redact(secret: string): string {
  const url = URL.parse(secret)
  if (url === null || url.host === '' || !/^(postgres(ql)?|rediss?):$/.test(url.protocol)) return '***'
  // A name without a password may be a token that stands in the wrong place.
  const login = url.password !== '' ? `${url.username}:***@` : url.username !== '' ? '***@' : ''
  return `${url.protocol}//${login}${url.host}${url.pathname}${url.search === '' ? '' : '?***'}`
}
