/** Where a caller may put its key, and how two of them are noticed. */

export interface CredentialCarrier {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Names and values in turn, as they came: the only place where a repeated header can still be seen. */
  readonly rawHeaders: readonly string[]
}

export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'presented'; readonly secret: string }
  /** Two that differ, a header sent twice, or a scheme that is not Bearer: nobody can say which one is meant. */
  | { readonly kind: 'unusable' }

const none: Credential = { kind: 'none' }
const unusable: Credential = { kind: 'unusable' }
const bearer = /^bearer(?: +|$)/i

function countAuthorizationHeaders(rawHeaders: readonly string[]): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length === 13 && name.toLowerCase() === 'authorization') count += 1
  }
  return count
}

/** Reads `Authorization: Bearer`, `x-api-key` and `api-key`; an empty value counts as absent. */
export function findCredential(carrier: CredentialCarrier): Credential {
  const { headers } = carrier
  let secret = ''
  const authorization = headers['authorization']
  if (authorization !== undefined) {
    if (typeof authorization !== 'string' || countAuthorizationHeaders(carrier.rawHeaders) > 1) return unusable
    const scheme = bearer.exec(authorization)
    if (!scheme) return unusable
    secret = authorization.slice(scheme[0].length).trim()
  }
  for (const other of [headers['x-api-key'], headers['api-key']]) {
    if (other === undefined || other === '') continue
    if (typeof other !== 'string' || (secret !== '' && secret !== other)) return unusable
    secret = other
  }
  return secret === '' ? none : { kind: 'presented', secret }
}
