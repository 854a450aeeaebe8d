/** Stopping well: not ready at once, then what runs may end, or is ended with an error event, then everything closed. */
import { setTimeout as delay } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { environment } from './config.ts'
import { stagesOf } from './domain/stop-stages.ts'
import type { Readiness } from './readiness.ts'

export interface StopOptions {
  readonly log: Logger
  readonly readiness: Readiness
  /** From the signal until nothing is served any more. */
  readonly graceMs: number
  /** From SIGTERM, how long new requests are served at least; within the grace. */
  readonly minDrainMs: number
  /** Null while it is still being built. */
  readonly app: () => FastifyInstance | null
}

/** What the stores may take to close, beyond the grace: they wait for a database that has gone silent. */
export const storesCloseMs = 10_000
/** The longest that it takes from a second signal to the exit. */
const hurryMs = 5000
/** Of that, how long callers have to take their error event. */
const hurriedCutMs = 500
/**
 * Ctrl-C in a terminal comes twice at once where npm is in between: from the terminal, which signals everybody in the
 * foreground, and from npm, which hands it on. That is one wish and not two.
 */
const echoMs = 1000
const orphanCheckMs = 250
const repeatMs = 100
/** What has been connected to by the end of the minimum drain has so long to come up with its request. */
const lingerMs = 250
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
 * From now on a signal stops the process with exit code 0. A second one ends what runs at once, with its error event, and
 * still keeps all that was used: 0 as well, since nothing is lost, or 1 where that cannot be done in five seconds. A third
 * one is an end with 1 on the spot. An error that nobody caught stops it too, with 1: the state it left cannot be trusted, but
 * answers that run may end.
 */
export function stopWell(options: StopOptions): void {
  const { log, graceMs } = options
  let minDrainMs = 0
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
      await drainAndClose(options, minDrainMs)
    },
  )
  const wishes = [
    (signal: NodeJS.Signals) => {
      log.info({ signal }, 'stopping')
      // Ctrl-C is a person's, who waits; whoever has a balancer to tell sends SIGTERM.
      if (signal === 'SIGTERM') minDrainMs = options.minDrainMs
      grace.close()
    },
    (signal: NodeJS.Signals) => {
      log.warn({ signal }, 'stopping at once')
      hurry(options)
    },
    () => process.exit(1),
  ]
  let lastAtMs = Number.NEGATIVE_INFINITY
  const onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now()
    if (nowMs - lastAtMs <= echoMs) return
    lastAtMs = nowMs
    wishes.shift()?.(signal)
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

/** The process ends afterwards, so no timer is cleared. */
function hurry({ log, app }: StopOptions): void {
  setTimeout(() => {
    log.fatal('stopping at once took too long')
    process.exit(1)
  }, hurryMs)
  app()?.drain.hurry()
}

/** The process ends afterwards, so no timer is cleared. */
async function drainAndClose({ readiness, graceMs, app: getApp }: StopOptions, minDrainMs: number): Promise<void> {
  // To one that was not ready nobody sends anything.
  const isServing = readiness.state === 'ready'
  readiness.state = 'stopping'
  const app = getApp()
  if (app === null) return
  const { servingMs, endingMs, cuttingMs } = stagesOf(graceMs, minDrainMs)
  const { drain } = app
  const endAll = () => {
    app.stopReading()
    app.backends.stopAll()
  }
  drain.begin()
  // Again and again: a request that had been read from a connection may only now have become a stream.
  const endAfter = (ms: number) => setTimeout(() => setInterval(endAll, repeatMs), ms)
  const cutAfter = (ms: number) => setTimeout(() => setInterval(() => drain.cut(), repeatMs), ms)
  endAfter(endingMs)
  cutAfter(cuttingMs)
  void drain.hurried.then(() => {
    endAll()
    endAfter(0)
    cutAfter(hurriedCutMs)
  })
  if (isServing && servingMs > 0) {
    await Promise.race([delay(servingMs), drain.hurried])
    await drain.stopListening()
    await Promise.race([delay(lingerMs), drain.hurried])
  }
  await app.close()
}
