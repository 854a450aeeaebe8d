/** Stopping well: not ready at once, then what runs may end, or is ended with an error event, then everything closed. */
import { setTimeout as delay } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { environment } from './config.ts'
import type { Readiness } from './readiness.ts'

export interface StopOptions {
  readonly log: Logger
  readonly readiness: Readiness
  /** From the signal until nothing is served any more. */
  readonly graceMs: number
  /** Null while it is still being built. */
  readonly app: () => FastifyInstance | null
}

/** What the stores may take to close, beyond the grace: they wait for a database that has gone silent. */
export const storesCloseMs = 10_000
/**
 * Ctrl-C in a terminal comes twice at once where npm is in between: from the terminal, which signals everybody in the
 * foreground, and from npm, which hands it on. That is one wish and not two.
 */
const echoMs = 1000
const orphanCheckMs = 250
/** SIGHUP reads the configuration again (src/server.ts), but on Windows, where it says that the console is closed. */
const handled =
  process.platform === 'win32' ? (['SIGTERM', 'SIGINT', 'SIGHUP'] as const) : (['SIGTERM', 'SIGINT'] as const)
/** After these no JavaScript can be trusted, or they have a meaning of their own. */
const leftAlone = [
  'SIGHUP',
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGSEGV',
  'SIGUSR2',
] as const

/**
 * From now on a signal stops the process with exit code 0, a second one at once with 1. An error that nobody caught
 * stops it too, with 1: the state it left cannot be trusted, but answers that run may end.
 */
export function stopWell(options: StopOptions): void {
  const { log, graceMs } = options
  const grace = closeWithGrace(
    {
      delay: graceMs + storesCloseMs,
      logger: false,
      skip: [...handled, ...leftAlone],
      onSecondError: err => log.fatal({ err }, 'another error while stopping'),
      onTimeout: () => log.fatal('stopping took too long'),
    },
    async ({ err }) => {
      if (err) log.fatal({ err }, 'stopping after an error')
      await drainAndClose(options)
    },
  )
  let firstAtMs: number | null = null
  const onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now()
    if (firstAtMs === null) {
      firstAtMs = nowMs
      log.info({ signal }, 'stopping')
      grace.close()
    } else if (nowMs - firstAtMs > echoMs) {
      log.warn({ signal }, 'stopping at once')
      process.exit(1)
    }
  }
  for (const signal of handled) process.on(signal, onSignal)
  if (environment['npm_lifecycle_event'] === 'start') onOrphaned(() => onSignal('SIGTERM'))
}

/**
 * `npm start` puts a shell between npm and us, which dies of the SIGTERM that npm hands on and keeps it to itself. What is
 * left to see is that our parent is another one.
 */
function onOrphaned(stop: () => void): void {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    stop()
  }, orphanCheckMs)
  watch.unref()
}

/** When each stage of stopping begins or ends, in milliseconds from the signal: 30 s give 5, 20 and 27. */
export function stagesOf(graceMs: number) {
  const endingMs = graceMs - Math.min(10_000, graceMs / 3)
  return {
    /** Until then new requests are still served where others run: a balancer takes a moment to see the readiness. */
    servingMs: Math.min(5000, graceMs / 6),
    /** From then on what runs gets an error event … */
    endingMs,
    /** … and what does not take that by then is cut off. */
    cuttingMs: Math.max(graceMs - Math.min(3000, graceMs / 10), endingMs + 500),
  }
}

/** The process ends afterwards, so no timer is cleared. */
async function drainAndClose({ readiness, graceMs, app: getApp }: StopOptions): Promise<void> {
  readiness.state = 'stopping'
  const app = getApp()
  if (app === null) return
  const { servingMs, endingMs, cuttingMs } = stagesOf(graceMs)
  app.drain.begin()
  // Again and again: a request that had been read from a connection may only now have become a stream.
  setTimeout(() => setInterval(() => app.backends.stopAll(), 100), endingMs)
  setTimeout(() => app.drain.cut(), cuttingMs)
  const stopsServingAtMs = performance.now() + servingMs
  while (app.drain.running > 0 && performance.now() < stopsServingAtMs) await delay(20)
  await app.close()
}
