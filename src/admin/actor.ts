/** Who asks for something to be done, and how the audit log names them. */
import type { Principal } from '../domain/principal.ts'
import type { Author } from '../store/audit.ts'

export type Actor =
  | { readonly kind: 'principal'; readonly principal: Principal; readonly requestId: string }
  /** Whoever may use the machine: the data directory, and with it every secret, is theirs. */
  | { readonly kind: 'command' }

export function authorOf(actor: Actor): Author {
  if (actor.kind === 'command') return { kind: 'command', id: null, account: null, requestId: null }
  const { principal, requestId } = actor
  const about = { account: principal.accountId, requestId }
  switch (principal.credential) {
    case 'admin-key':
      return { kind: 'admin-key', id: null, ...about }
    case 'key':
    case 'token':
      return { kind: 'key', id: principal.keyId, ...about }
    case 'jwt':
      return { kind: 'jwt', id: `${principal.identity?.issuer} ${principal.identity?.subject}`, ...about }
  }
}

/** The same caller has the same name, whatever it asks for: it has its Idempotency-Keys to itself. */
export function nameOfActor(actor: Actor): string {
  const { kind, id } = authorOf(actor)
  return id === null ? kind : `${kind}:${id}`
}
