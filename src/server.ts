/** The process: read the configuration, build, listen, become ready, and stop well. */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { printBanner, printFirstKey } from './banner.ts'
import { ensureDataDir } from './config/data-dir.ts'
import { asksForHelp, helpText } from './config/flags.ts'
import { environment, type LoadedConfig, loadConfig } from './config.ts'
import { isLoopback } from './domain/loopback.ts'
import { buildLog } from './log/build-log.ts'
import { openDestination } from './log/open-destination.ts'
import { Readiness } from './readiness.ts'
import { describeStartError } from './start-error.ts'
import { stopWell } from './stop.ts'
import { afterFirstContact } from './store/first-contact.ts'
import { ensureFirstKey } from './store/first-key.ts'
import { checkPeppers } from './store/peppers.ts'

const version: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
/** Without the database the server is not ready for so long; afterwards this is an outage like a later one. */
const firstContactMs = 60_000
/**
 * Before it listens it waits a moment for the database: then the first caller is not told to come back, and a server that
 * nobody has a key for refuses before it has answered anybody. The embedded one is certain to come, but has to be made
 * first; one elsewhere may be down for long, and that must not keep the server from starting.
 */
const patienceMs = { embedded: 15_000, external: 1000 } as const
const readiness = new Readiness()

const argv = process.argv.slice(2)

if (asksForHelp(argv))
  process.stdout.write(helpText('Usage: weir start [options]\nRuns the server; so does npm start.'))
else await run()

async function run(): Promise<void> {
  try {
    await start(loadConfig({ argv }))
  } catch (error) {
    refuseToStart(error)
  }
}

async function start(loaded: LoadedConfig): Promise<void> {
  const { config, warnings, origins } = loaded
  ensureDataDir(config.stores.dataDir, origins['stores.dataDir'])
  const destination = await openDestination({
    isProduction: environment['NODE_ENV'] === 'production',
    onLost: lost => log.error({ lost }, 'log: lines were lost, as nobody took them'),
  })
  const log = buildLog({ level: config.log.level, destination: destination.stream })
  for (const warning of warnings) log.warn({ warning }, 'configuration')

  let app: FastifyInstance | null = null
  const { graceMs, minDrainMs } = config.server
  stopWell({ log, readiness, graceMs, minDrainMs, app: () => app })
  // On Windows it says that the console is closed, which is an end (src/stop.ts).
  if (process.platform !== 'win32') process.on('SIGHUP', signal => void app?.configuration.reload(signal))
  if (process.platform !== 'win32') process.on('SIGUSR2', () => app?.logLevel.turnDebug('signal'))
  app = await buildApp({ loaded, read: () => loadConfig({ argv }), log, readiness, version })
  const { sql, database, peppers } = app
  const peppersChecked = afterFirstContact(database, () => checkPeppers(sql, peppers))
  peppersChecked.catch(refuseToStart)
  const firstKey = ensureFirstKey({
    sql,
    database,
    peppers,
    isLoopback: isLoopback(config.server.host),
    hasAdminKey: config.auth.adminKey !== undefined,
  })
  firstKey.catch(refuseToStart)
  const known = Promise.all([peppersChecked, firstKey])
  const waitMs = config.stores.databaseUrl === undefined ? patienceMs.embedded : patienceMs.external
  await Promise.race([known, delay(waitMs, null, { ref: false })])
  const url = await app.listen({ host: config.server.host, port: config.server.port })
  const internalUrl = await app.internalListener.listen()
  const { probeUrl } = app
  const others = { ...(internalUrl === null ? {} : { internalUrl }), ...(probeUrl === null ? {} : { probeUrl }) }
  log.info({ url, ...others, version }, 'listening')
  destination.flush()
  void becomeReady(known)
  if (process.stdout.isTTY) await printBanner({ app, config, url, internalUrl, firstKey })
  else await printFirstKey(url, firstKey)
}

/** Ready once keys can be checked and it is known that somebody has one, or that this cannot be known yet. */
async function becomeReady(known: Promise<unknown>): Promise<void> {
  try {
    await Promise.race([known, delay(firstContactMs, null, { ref: false })])
    if (readiness.state === 'starting') readiness.state = 'ready'
  } catch {
    // Stopped before, or refused: who waits for the first key says why.
  }
}

/** A stop in the middle of a start makes what was waited for fail; that is no reason to say anything. */
function refuseToStart(error: unknown): void {
  if (readiness.state === 'stopping') return
  process.stderr.write(describeStartError(error))
  process.exit(1)
}
