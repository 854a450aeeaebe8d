/** Why the server does not start, for the person who started it. */
import { ConfigError, describeProblem } from './config/problem.ts'
import { DataDirBusyError } from './embedded/lock.ts'
import { LedgerFolderError } from './ledger/ledger-folder.ts'
import { LedgerBusyError } from './ledger/ledger-lock.ts'
import { NoKeyError } from './store/first-key.ts'
import { WrongPepperError } from './store/peppers.ts'

/** One message, with what to do; a stack only where the fault is ours. Ends with a line break. */
export function describeStartError(error: unknown): string {
  if (error instanceof ConfigError) return error.problems.map(problem => `${describeProblem(problem)}\n`).join('')
  if (isPlain(error)) return `weir: ${error.message}\n`
  const listenProblem = error instanceof Error ? describeListenError(error) : null
  if (listenProblem !== null) return `weir: ${listenProblem}\n`
  return `weir: ${error instanceof Error ? error.stack : String(error)}\n`
}

const plain = [NoKeyError, WrongPepperError, DataDirBusyError, LedgerBusyError, LedgerFolderError]

const isPlain = (error: unknown): error is Error => plain.some(kind => error instanceof kind)

interface SystemError extends Error {
  readonly code?: string
  readonly syscall?: string
  readonly address?: string
  readonly port?: number
  readonly hostname?: string
}

/** Null where the error is about something else. */
function describeListenError({ syscall, code, message, ...where }: SystemError): string | null {
  if (syscall === 'getaddrinfo') {
    return `There is no address for the name "${where.hostname}" to listen on. Correct HOST or --host (INTERNAL_HOST for the internal listener).`
  }
  if (syscall !== 'listen' && syscall !== 'bind') return null
  const host = where.address?.includes(':') ? `[${where.address}]` : where.address
  // With port 0 the error names none.
  const place = where.port === undefined ? host : `${host}:${where.port}`
  switch (code) {
    case 'EADDRINUSE':
      return `Another program listens on ${place} already. Stop it, or choose another port by PORT or --port (INTERNAL_PORT and PROBE_PORT for the others).`
    case 'EADDRNOTAVAIL':
      return `${place} cannot be listened on: this machine does not have that address. Correct HOST or --host (INTERNAL_HOST for the internal listener).`
    case 'EACCES':
      return `The user that Weir runs as may not listen on ${place}. Choose a port above 1023 by PORT or --port.`
    default:
      return `${place} cannot be listened on (${message}).`
  }
}
