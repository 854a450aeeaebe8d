import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** `pid` and all its descendants, parents first: PostgreSQL is one process per connection, and each can be stopped alone. */
export function processTree(pid: number): number[] {
  const children = Map.groupBy(process.platform === 'linux' ? readProc() : askPs(), row => row.parent)
  const tree = [pid]
  for (const member of tree) tree.push(...(children.get(member) ?? []).map(row => row.pid))
  return tree
}

/** Sends `signal` to the whole tree; who has gone meanwhile is passed over. */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  for (const member of processTree(pid)) {
    try {
      process.kill(member, signal)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }
}

interface Row {
  pid: number
  parent: number
}

// Slim images have no `ps`.
function readProc(): Row[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        // The command's name is in brackets and may itself hold brackets and spaces.
        const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return [{ pid: Number(name), parent: Number(parent) }]
      } catch {
        return []
      }
    })
}

function askPs(): Row[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  return rows.split('\n').flatMap(line => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number)
    return pid !== undefined && parent !== undefined ? [{ pid, parent }] : []
  })
}
