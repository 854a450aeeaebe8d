/** The process: read the configuration, build, listen, and stop well. */
import { readFileSync } from 'node:fs'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { type Logger, pino } from 'pino'
import type { Readiness } from '../routes/health.ts'
import { buildApp } from './app.ts'
import { printBanner, printFirstKey } from './banner.ts'
import { ensureDataDir } from './config/data-dir.ts'
import { ConfigError, describeProblem } from './config/problem.ts'
import { type LoadedConfig, loadConfig } from './config.ts'
import { isLoopback } from './domain/loopback.ts'
import { DataDirBusyError } from './embedded/lock.ts'
import { checkFirstKey, type FirstKeyCheck, NoKeyError } from './store/first-key.ts'

const version: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version

try {
  await start(loadConfig({ argv: process.argv.slice(2) }))
} catch (error) {
  refuseToStart(error)
}

async function start({ config, warnings }: LoadedConfig): Promise<void> {
  ensureDataDir(config.stores.dataDir)
  const destination = pino.destination({ dest: 1, minLength: 4096, sync: false })
  // Buffered, but a line is never older than a moment when somebody looks.
  setInterval(() => destination.flush(), 200).unref()
  const log = pino({ level: config.log.level }, destination)
  for (const warning of warnings) log.warn({ warning }, 'configuration')

  const readiness: Readiness = { state: 'starting' }
  const app = await buildApp({ config, log, readiness, version })
  stopWell(app, { log, readiness, graceMs: config.server.graceMs })
  const isPrivate = isLoopback(config.server.host)
  const firstKey = checkFirstKey({
    sql: app.sql,
    database: app.database,
    peppers: app.peppers,
    isLoopback: isPrivate,
    hasAdminKey: config.auth.adminKey !== undefined,
  })
  firstKey.result.catch(error => refuseToStart(error))
  const url = await app.listen({ host: config.server.host, port: config.server.port })
  const internalUrl = await app.internalListener.listen()
  log.info({ url, ...(internalUrl === null ? {} : { internalUrl }), version }, 'listening')
  destination.flush()
  becomeReady(readiness, firstKey)
  if (process.stdout.isTTY) await printBanner({ app, config, url, internalUrl, firstKey: firstKey.result })
  else await printFirstKey(url, firstKey.result)
}

/** Ready once it is known that somebody can use this server, or that this cannot be known yet. */
function becomeReady(readiness: Readiness, firstKey: FirstKeyCheck): void {
  const timer = setInterval(() => {
    if (firstKey.holdsReadiness) return
    clearInterval(timer)
    if (readiness.state === 'starting') readiness.state = 'ready'
  }, 50)
}

interface StopOptions {
  readonly log: Logger
  readonly readiness: Readiness
  readonly graceMs: number
}

/** On a signal: not ready, no new connections, running answers end or are ended, everything closed, exit 0. */
function stopWell(app: FastifyInstance, { log, readiness, graceMs }: StopOptions): void {
  closeWithGrace({ delay: graceMs, logger: false }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'stopping after an error')
    else log.info({ signal }, 'stopping')
    readiness.state = 'stopping'
    // What still runs near the end gets a proper error event instead of a cut.
    const last = setTimeout(() => app.backends.stopAll(), Math.max(0, graceMs - Math.min(10_000, graceMs / 3)))
    const sweep = setInterval(() => app.server.closeIdleConnections(), 200)
    await app.close()
    clearTimeout(last)
    clearInterval(sweep)
    log.flush()
  })
}

/** A person reads this: one message, no stack, unless the fault is ours. */
function refuseToStart(error: unknown): never {
  if (error instanceof ConfigError)
    for (const problem of error.problems) process.stderr.write(`${describeProblem(problem)}\n`)
  else if (error instanceof NoKeyError || error instanceof DataDirBusyError || isListenError(error)) {
    process.stderr.write(`weir: ${error.message}\n`)
  } else process.stderr.write(`weir: ${error instanceof Error ? error.stack : String(error)}\n`)
  process.exit(1)
}

const isListenError = (error: unknown): error is Error =>
  error instanceof Error && 'syscall' in error && error.syscall === 'listen'
