/** Clocks that a test sets, by libfaketime: the wall clock of a process jumps, its monotonic clock runs on. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { makeTempDir } from './temp-dir.ts'

export interface FakeClock {
  /** For the process whose clock it is. */
  readonly env: Readonly<Record<string, string>>
  /** For a Redis. Its jemalloc asks for the time while libfaketime begins, which is a deadlock: it gets glibc's memory. */
  readonly redisEnv: Readonly<Record<string, string>>
  /** So far from the real time, from now on. */
  set(offsetSeconds: number): void
}

export function makeFakeClock(t: TestContext): FakeClock {
  const library = findLibrary() ?? installLibrary()
  const file = join(makeTempDir(t), 'clock')
  const set = (offsetSeconds: number) => writeFileSync(file, `${offsetSeconds < 0 ? '' : '+'}${offsetSeconds}\n`)
  set(0)
  const env = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    // Read again for each question, so a jump is seen at once.
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
  const memory = join(dirname(dirname(library)), 'libc_malloc_debug.so.0')
  return { set, env, redisEnv: { ...env, LD_PRELOAD: `${memory} ${library}` } }
}

function findLibrary(): string | undefined {
  const folders = existsSync('/usr/lib') ? readdirSync('/usr/lib') : []
  return folders.map(name => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`).find(path => existsSync(path))
}

/** On Debian as root: from Debian. Anywhere else it is the owner's machine: say what is missing. */
function installLibrary(): string {
  const remedy = 'This test needs libfaketime on Linux: install it (Debian: apt-get install libfaketime).'
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) throw new Error(remedy)
  process.stderr.write('libfaketime is not installed: installing it by apt-get\n')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const outputs = [['update'], ['install', '-y', '--no-install-recommends', 'libfaketime']].map(args => {
    const options = ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args]
    const { stdout, stderr } = spawnSync('apt-get', options, { encoding: 'utf8', env })
    return `${stdout}${stderr}`
  })
  const library = findLibrary()
  if (library === undefined) throw new Error(`${remedy} apt-get said:\n${outputs.join('\n').slice(-2000)}`)
  return library
}
