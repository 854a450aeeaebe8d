/** A PostgreSQL that has the programs for backups beside it, which the one from npm has not. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { globSync } from 'node:fs'
import { chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { onEnd } from './cleanup.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { findPrograms } from './debian.ts'
import { findUnprivilegedUser, makePostgresFolder } from './postgres-server.ts'

export interface DebianPostgres {
  readonly server: Daemon
  /** Runs pg_dump, pg_restore or createdb against it. */
  run(program: 'pg_dump' | 'pg_restore' | 'createdb', args: readonly string[]): Promise<void>
}

/** As Debian 12 has it, or whatever version is installed. */
export async function startDebianPostgres(t: TestContext): Promise<DebianPostgres> {
  const { programs, libraries } = await findPrograms({
    name: 'postgresql-15',
    beside: ['postgresql-client-15', 'libpq5'],
    programs: ['initdb', 'postgres', 'pg_dump', 'pg_restore', 'createdb'],
    at: 'usr/lib/postgresql/15/bin',
    folders: globSync('/usr/lib/postgresql/*/bin').toSorted(),
    remedy: 'The test of backups needs a PostgreSQL with pg_dump: install it (Debian: apt-get install postgresql).',
  })
  const env: Record<string, string> = {
    LC_ALL: 'C',
    ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }),
  }
  const owner = process.getuid?.() === 0 ? findUnprivilegedUser() : undefined
  const folder = await makePostgresFolder(owner)
  const password = randomBytes(16).toString('hex')
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (owner !== undefined) await chown(passwordFile, owner.uid, owner.gid)
  const execute = promisify(execFile)
  const data = join(folder, 'data')
  const login = ['-U', 'weir', '--pwfile', passwordFile, '--auth', 'scram-sha-256']
  const fast = ['--encoding=UTF8', '--no-locale', '--no-sync', '--no-instructions']
  await execute(programs.initdb, ['-D', data, ...login, ...fast], { cwd: folder, env, timeout: 60_000, ...owner })
  const settings = ['fsync=off', 'listen_addresses=127.0.0.1', 'unix_socket_directories=']
  const server = await startDaemon({
    name: 'PostgreSQL of Debian',
    folder,
    command: programs.postgres,
    args: port => ['-D', data, '-p', String(port), ...settings.flatMap(setting => ['-c', setting])],
    readyText: 'database system is ready to accept connections',
    stopSignal: 'SIGINT',
    url: port => `postgres://weir:${password}@127.0.0.1:${port}/postgres`,
    owner,
    env,
  })
  onEnd(t, () => server.remove())
  const place = { PGHOST: '127.0.0.1', PGPORT: String(server.port), PGUSER: 'weir', PGPASSWORD: password }
  return {
    server,
    async run(program, args) {
      await execute(programs[program], [...args], { env: { ...env, ...place }, timeout: 60_000 })
    },
  }
}
