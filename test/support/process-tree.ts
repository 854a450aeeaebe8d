import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** `pid` and all its descendants, parents first: PostgreSQL is one process per connection, and each can be stopped alone. */
export function processTree(pid: number): number[] {
  const tree = [pid]
  const childrenOf = process.platform === 'linux' ? readChildren : askPs()
  for (const member of tree) tree.push(...childrenOf(member))
  return tree
}

/** Sends `signal` to the whole tree; who has gone meanwhile is passed over. */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  for (const member of processTree(pid)) signalIfThere(member, signal)
}

/** Sends `signal` to one process, which may have gone meanwhile. */
export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Whose working directory is `folder` or below it, whoever started them. Known on Linux only; elsewhere none. */
export function processesIn(folder: string): number[] {
  if (process.platform !== 'linux') return []
  return listProc().filter(pid => {
    try {
      // Of a folder that has been removed the kernel says so behind its name.
      const workplace = readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, '')
      return `${workplace}/`.startsWith(`${folder}/`)
    } catch {
      return false
    }
  })
}

// Of the few processes that matter: to read all that run takes a test's own clients ten milliseconds.
function readChildren(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap(thread =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
  } catch (error) {
    // It has gone; a kernel without this file has the process, and must not be taken for one without children.
    if (existsSync(`/proc/${pid}/stat`)) throw error
    return []
  }
}

function listProc(): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
}

function askPs(): (pid: number) => number[] {
  const children = new Map<number, number[]>()
  for (const line of execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n')) {
    const [pid, parent] = line.trim().split(/\s+/).map(Number)
    if (pid !== undefined && parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  return pid => children.get(pid) ?? []
}
