import { spawn } from 'node:child_process'
import { Socket } from 'node:net'

// `cat` ends when the pipe's other end closes, and the kernel closes it however this process dies, kill -9 included.
// PostgreSQL's children outlive it when they are frozen, so on Linux everything goes that works inside the folder.
const SCRIPT = `cat >/dev/null
kill -9 "$1" 2>/dev/null
[ -n "$2" ] || exit 0
for link in /proc/[0-9]*/cwd; do
  case "$(readlink "$link" 2>/dev/null)" in "$2"|"$2 (deleted)"|"$2"/*) pid=\${link#/proc/}; kill -9 "\${pid%/cwd}" 2>/dev/null ;; esac
done
for attempt in 1 2 3 4 5; do rm -rf "$2" 2>/dev/null; [ -e "$2" ] || break; sleep 0.2; done`

/**
 * Watches this process from outside: should it die without cleaning up, the process `pid` is killed and `folder`, if given, removed.
 * Returns what calls the watch off; call it when that process has exited, because its pid may then belong to another.
 */
export function startReaper(pid: number, folder?: string): () => void {
  // A session of its own: Ctrl-C in a terminal goes to the whole foreground group and must not end the reaper first.
  const shell = spawn('sh', ['-c', SCRIPT, 'reaper', String(pid), folder ?? ''], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  shell.unref()
  if (shell.stdin instanceof Socket) shell.stdin.unref()
  return () => {
    // The shell's children (cat) share its group.
    if (shell.pid !== undefined && shell.exitCode === null && shell.signalCode === null)
      process.kill(-shell.pid, 'SIGKILL')
  }
}
