import { ok, strictEqual } from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { onEnd } from './cleanup.ts'
import { type OpenedSpool, storeAll } from './ledger.ts'

const program = fileURLToPath(new URL('./ledger-child.ts', import.meta.url))

export interface LedgerChild {
  readonly process: ChildProcess
  /** Each line that it has said, as far as it has been read. */
  readonly said: string[]
  /** All it has said and its complaint, once it has ended. */
  readonly ended: Promise<string>
}

/** Appends to the ledger in a folder, at full speed, until it is killed; `limit` is a command of the shell before that. */
export function startLedgerChild(t: TestContext, folder: string, limit = ':'): LedgerChild {
  const child = spawn('sh', ['-c', `${limit}; exec "$0" "$@"`, process.execPath, program, folder], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onEnd(t, () => child.kill('SIGKILL'))
  const said: string[] = []
  let complaint = ''
  createInterface({ input: child.stdout }).on('line', line => said.push(line))
  child.stderr.on('data', chunk => {
    complaint += String(chunk)
  })
  return { process: child, said, ended: once(child, 'close').then(() => complaint) }
}

export async function kill({ process: child, ended }: LedgerChild): Promise<void> {
  child.kill('SIGKILL')
  await ended
}

/** What the child said of each kind; the last line is whole, since lines this short are written in one piece. */
export function acceptedBy({ said }: LedgerChild): { intents: string[]; finals: string[] } {
  const of = (kind: string) => said.flatMap(line => (line.startsWith(`${kind} `) ? [line.slice(kind.length + 1)] : []))
  const accepted = { intents: of('intent'), finals: of('final') }
  strictEqual(new Set(accepted.intents).size, accepted.intents.length)
  return accepted
}

/** Of what the child was told is kept, nothing is missing, and nothing is there twice. Acknowledges all of it. */
export async function checkKept(opened: OpenedSpool, child: LedgerChild): Promise<readonly UsageEvent[]> {
  const events = await storeAll(opened.spool)
  const byId = new Map(events.map((event): [string, UsageEvent] => [event.id, event]))
  strictEqual(byId.size, events.length, 'nothing twice')
  const { intents, finals } = acceptedBy(child)
  for (const id of finals) strictEqual(byId.get(id)?.status, 'ok', id)
  for (const id of intents) ok(byId.has(id), id)
  // It may have been killed between a write and its word, each of its callers once.
  ok(events.length - intents.length <= 16, `${events.length} events of ${intents.length} intents`)
  const unknown = events.filter(({ status }) => status === 'unknown').length
  const told = opened.noticesOf('unknown').reduce((sum, notice) => sum + notice.events, 0)
  strictEqual(told, unknown)
  return events
}
