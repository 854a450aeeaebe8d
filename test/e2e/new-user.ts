/** Somebody who has just cloned the repository: the machine's own Node and npm, a shell, and nothing of ours installed. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { onEnd } from '../support/cleanup.ts'
import { within } from '../support/inbox.ts'
import { startReaper } from '../support/reaper.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** What a shell has of itself, and where npm finds its registry; nothing that npm or a test runner adds for its children. */
const kept = /^(HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|NODE_EXTRA_CA_CERTS|(https?|no|all)_proxy)$/i
const keptOfNpm = /^npm_config_(registry|cache|userconfig|cafile|(https?_)?proxy|noproxy)$/i

function shellEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => kept.test(name) || keptOfNpm.test(name))
  const path = (process.env['PATH'] ?? '').split(delimiter)
  const isInstalled = (folder: string) => /node_modules|node-gyp-bin/.test(folder)
  return { ...Object.fromEntries(own), PATH: path.filter(folder => !isInstalled(folder)).join(delimiter) }
}

/** A fresh clone of what is committed, in a folder that goes when the test ends. */
export function cloneRepository(t: TestContext): string {
  const folder = makeTempDir(t)
  // The repository may belong to another user of this machine, who is to be trusted here and nowhere else.
  const config = join(folder, 'gitconfig')
  writeFileSync(config, '[safe]\n\tdirectory = *\n')
  const clone = join(folder, 'weir')
  execFileSync('git', ['clone', '--quiet', '--no-local', pathToFileURL(repository).href, clone], {
    env: { ...shellEnvironment(), GIT_CONFIG_GLOBAL: config, GIT_CONFIG_NOSYSTEM: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return clone
}

export interface Shell {
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  /** Fulfilled with the exit code when nothing that it started holds its output any more; null where a signal ended it. */
  readonly exit: Promise<number | null>
  /** Both outputs, for messages. */
  describe(): string
}

/** Types a command. When the test ends it is killed with all that it started, also when the test itself is killed. */
export function type(t: TestContext, folder: string, [command = '', ...args]: readonly string[]): Shell {
  const child = spawn(command, args, {
    cwd: folder,
    env: shellEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: it holds also those whose parent has gone.
    detached: true,
  })
  const { promise: exit, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', resolve)
  const { pid } = child
  if (pid !== undefined) {
    const callOffReaper = startReaper(pid, folder)
    onEnd(t, async () => {
      killGroup(pid)
      await within(exit, 10_000, () => `${command} ${args.join(' ')} does not go away`)
      callOffReaper()
    })
  }
  const stdout = linesOf(child.stdout)
  const stderr = linesOf(child.stderr)
  return { stdout, stderr, exit, describe: () => [...stdout.slice(-60), ...stderr.slice(-60)].join('\n') }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

function linesOf(stream: ChildProcess['stdout']): readonly string[] {
  const lines: string[] = []
  if (stream !== null) createInterface({ input: stream }).on('line', line => lines.push(line))
  return lines
}

/** Waits for a command to end and returns its exit code. */
export async function finish(shell: Shell, withinMs: number): Promise<number | null> {
  return await within(shell.exit, withinMs, () => `still running after ${withinMs} ms:\n${shell.describe()}`)
}
