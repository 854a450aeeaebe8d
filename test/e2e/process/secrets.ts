/** Looks for a secret in files and output, however it may have been encoded on its way there. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** As it is, and as hex, URL-encoded, base64 at each of its three alignments and base64url. */
export function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret)
  const inBase64 = [0, 1, 2].map(shift => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    // The first and the last characters also depend on what stands beside the secret.
    return text.slice(shift === 0 ? 0 : 4, -4)
  })
  const inBase64url = inBase64.map(text => text.replaceAll('+', '-').replaceAll('/', '_'))
  return [
    ...new Set([secret, encodeURIComponent(secret), bytes.toString('hex'), ...inBase64, ...inBase64url]),
    JSON.stringify(JSON.stringify(secret)).slice(3, -3),
  ]
}

/** The files below `folder` that hold one of the forms. */
export function filesWith(folder: string, forms: readonly string[]): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .filter(path => {
      const bytes = readFileSync(path)
      return forms.some(form => bytes.includes(form))
    })
}
