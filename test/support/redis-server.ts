import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'
import { onEnd } from './cleanup.ts'
import { type Daemon, startDaemon } from './daemon.ts'

/** How many numbered databases one server has: each test may take one, and an empty one costs next to nothing. */
const REDIS_DATABASES = 10_000

export interface RedisOptions {
  /** More command line, as `['--maxmemory', '10mb']`. */
  args?: string[]
  /** More environment, as a library that is loaded first. */
  env?: Readonly<Record<string, string>>
}

/** A Redis of the test's own, for what the shared one must not suffer: FLUSHALL, SCRIPT FLUSH, CLIENT PAUSE, kill, freeze. */
export async function startRedis(t: TestContext, options: RedisOptions = {}): Promise<Daemon> {
  const server = await startRedisServer(options)
  onEnd(t, () => server.remove())
  return server
}

/** Starts a Redis on a free port of 127.0.0.1 that writes nothing to disk (so a restart forgets). */
export async function startRedisServer({ args = [], env = {} }: RedisOptions = {}): Promise<Daemon> {
  const command = findRedis() ?? installRedis()
  const folder = await mkdtemp(join(tmpdir(), 'weir-test-redis-'))
  try {
    return await startDaemon({
      name: 'Redis',
      folder,
      command,
      env,
      args: port => [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'],
        ...['--enable-debug-command', 'local', '--databases', String(REDIS_DATABASES), ...args],
      ],
      readyText: 'Ready to accept connections',
      stopSignal: 'SIGTERM',
      url: port => `redis://127.0.0.1:${port}`,
    })
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

function findRedis(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
  return folders.map(folder => join(folder, 'redis-server')).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** On Debian as root: from Debian. Anywhere else it is the owner's machine: say what is missing. */
function installRedis(): string {
  const remedy =
    'The tests need a real Redis 7 or newer: install redis-server (Debian: apt-get install redis-server, macOS: brew install redis).'
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) throw new Error(remedy)
  process.stderr.write('redis-server is not installed: installing it by apt-get\n')
  const output = withoutServiceStart(() =>
    [['update'], ['install', '-y', '--no-install-recommends', 'redis-server']].map(runAptGet).join('\n'),
  )
  const command = findRedis()
  if (command === undefined) throw new Error(`${remedy} apt-get said:\n${output.slice(-2_000)}`)
  return command
}

function runAptGet(args: string[]): string {
  const { stdout, stderr, error } = spawnSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  return `${stdout}${stderr}${error?.message ?? ''}`
}

/** Debian's way to install a server and not start its service is a policy file that says 101. Images often bring one. */
function withoutServiceStart<T>(install: () => T): T {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return install()
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return install()
  } finally {
    rmSync(policy, { force: true })
  }
}
