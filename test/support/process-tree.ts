import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** `pid` and all its descendants, parents first: PostgreSQL is one process per connection, and each can be stopped alone. */
export function processTree(pid: number): number[] {
  const children = Map.groupBy(process.platform === 'linux' ? readProc() : askPs(), row => row.parent)
  const tree = [pid]
  for (const member of tree) tree.push(...(children.get(member) ?? []).map(row => row.pid))
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

interface Row {
  pid: number
  parent: number
}

// Slim images have no `ps`.
function readProc(): Row[] {
  return listProc().flatMap(pid => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The command's name is in brackets and may itself hold brackets and spaces.
      const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return [{ pid, parent: Number(parent) }]
    } catch {
      return []
    }
  })
}

function listProc(): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
}

function askPs(): Row[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  return rows.split('\n').flatMap(line => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number)
    return pid !== undefined && parent !== undefined ? [{ pid, parent }] : []
  })
}
