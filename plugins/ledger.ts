import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest, preHandlerHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { ensureDataDir } from '../src/config/data-dir.ts'
import type { Config } from '../src/config.ts'
import { policyOf, unknownEvent } from '../src/domain/unknown-usage.ts'
import type { UsageEvent, UsageIntent } from '../src/domain/usage-event.ts'
import { WeirError } from '../src/errors.ts'
import { Flusher } from '../src/ledger/flusher.ts'
import type { LedgerNotice } from '../src/ledger/ledger-notice.ts'
import { Losses } from '../src/ledger/losses.ts'
import { LedgerPast } from '../src/ledger/past-use.ts'
import { Spool } from '../src/ledger/spool.ts'
import { Upkeep } from '../src/ledger/upkeep.ts'
import { buildIntent } from '../src/ledger/usage-records.ts'
import type { Readiness } from '../src/readiness.ts'
import { DatabaseUnavailableError } from '../src/store/deadline.ts'
import { insertUsageEvents, isPoison } from '../src/store/usage-events.ts'
import { getPrincipal } from './auth.ts'
import { getConfiguration } from './configuration.ts'
import { getInference } from './limits.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** A preHandler hook for after `reserve`: the request is kept before anything is sent for it, or answered 503. */
    readonly keepIntent: preHandlerHookHandler
    readonly ledger: Ledger
  }
  interface FastifyRequest {
    /** What is kept of an inference; its event is owed once it is over. Null where there is nothing to keep. */
    intent: UsageIntent | null
  }
}

export interface Ledger {
  /** Never rejects: what cannot be kept in time is finished as unknown by the next process. */
  record(event: UsageEvent): void
  /**
   * Fulfilled with true when the database has all that has been recorded so far, but for what it can never take; with false
   * where the time was up before, or one of them could not be kept.
   */
  flush(withinMs: number): Promise<boolean>
  /** Adds somebody who is told of events as soon as the database has them; may neither throw nor wait. */
  onStored(listener: StoredListener): void
}

type StoredListener = (events: readonly UsageEvent[]) => void

interface LedgerOptions {
  readonly config: Pick<Config, 'stores' | 'ledger'>
  readonly readiness: Readiness
}

const storeTimeoutMs = 10_000
/** How long a stop waits for the database to take what is left; the rest is on the disk. */
const closeFlushMs = 5000
/** The same where somebody has no patience. */
const hurriedFlushMs = 1000
const retryAfterMs = 5000

const noRoom = 'What requests use cannot be kept at the moment. Try again shortly.'

/** Throws LedgerBusyError at boot where another process keeps its usage in the same folder. */
export default fp<LedgerOptions>(
  async (app, { config, readiness }) => {
    const meters = app.meters.ledger
    const spool = await openSpool(app, config)
    meters.watch(() => spool)
    readiness.needs(() => spool.level !== 'full')
    const losses = new Losses((id, events) => {
      meters.lost(events)
      app.log.error(
        { id, events },
        'ledger: events are not kept, so many wait for the disk; the next start makes them unknown',
      )
    })
    const listeners: StoredListener[] = []
    const flusher = startFlusher(app, spool, listeners)
    const upkeep = startUpkeep(app, config.ledger.keepMonths ?? null)
    app.decorateRequest('intent', null)
    app.decorate('ledger', {
      record: event =>
        void spool.appendFinal(event).then(
          result => result === 'full' && losses.lost(event),
          err => app.log.error({ err, id: event.id }, 'ledger: an event was not kept'),
        ),
      flush: withinMs => flusher.flush(withinMs),
      onStored: listener => void listeners.push(listener),
    })
    app.limiter.seedFrom(
      new LedgerPast({
        sql: app.sql,
        flush: withinMs => flusher.flush(withinMs),
        isReachable: () => app.database.state === 'ready',
      }),
    )
    app.decorate('keepIntent', (request, reply, done) => {
      if (reply.raw.closed) return done()
      if (spool.level === 'high' && isOfLowestTier(request)) return done(refuse(app, request))
      const intent = intentOf(request)
      // Before it is on the disk: its caller may leave meanwhile, and the event that is owed then goes behind it.
      request.intent = intent
      spool.appendIntent(intent).then(result => {
        if (result === 'written') return done()
        request.intent = null
        done(refuse(app, request))
      }, done)
    })
    app.addHook('onClose', async () => {
      await upkeep.stop()
      // What a database that is away does not take is on the disk for the next process.
      const late = app.drain.hurried.then(() => delay(hurriedFlushMs, null, { ref: false }))
      if (app.database.state === 'ready') await Promise.race([flusher.flush(closeFlushMs), late])
      flusher.stop()
      await spool.close()
      losses.stop()
    })
  },
  {
    name: 'ledger',
    fastify: '5.x',
    dependencies: ['drain', 'configuration', 'metrics', 'postgres', 'catalog', 'limits'],
  },
)

async function openSpool(app: FastifyInstance, { stores, ledger }: LedgerOptions['config']): Promise<Spool> {
  const { highBytes, fullBytes, highFreeBytes, fullFreeBytes, unknown } = ledger
  ensureDataDir(stores.dataDir)
  return await Spool.open({
    folder: join(stores.dataDir, 'ledger'),
    marks: { highBytes, fullBytes, highFreeBytes, fullFreeBytes },
    toUnknown: intent => unknownEvent(intent, policyOf(unknown)),
    onNotice: notice => report(app, notice),
  })
}

function startFlusher(app: FastifyInstance, spool: Spool, listeners: readonly StoredListener[]): Flusher {
  const meters = app.meters.ledger
  return new Flusher({
    spool,
    store: async events => {
      await store(app, events)
      for (const listener of listeners) listener(events)
    },
    isPoison,
    onProgress: progress => {
      meters.flushed(progress)
      if (progress.quarantined > 0)
        app.log.error({ ...progress }, 'ledger: events that cannot be stored are in quarantine')
    },
    onFailure: (err, tries) => {
      meters.failed()
      // An outage is said by whoever keeps in touch with the database.
      if (!(err instanceof DatabaseUnavailableError) && tries === 3)
        app.log.error({ err }, 'ledger: a batch could not be stored; trying on')
    },
  })
}

function startUpkeep(app: FastifyInstance, keepMonths: number | null): Upkeep {
  const upkeep = new Upkeep({
    sql: app.sql,
    isReachable: () => app.database.state === 'ready',
    models: () => app.catalog.current.models,
    keepMonths,
    log: app.log,
  })
  app.configuration.onReload(() => ({ commit: () => upkeep.run() }))
  app.database.firstContact.then(
    () => upkeep.run(),
    // Closed before the database has answered.
    () => undefined,
  )
  return upkeep
}

function intentOf(request: FastifyRequest): UsageIntent {
  const { call, demand, pricedAtMs } = getInference(request)
  return buildIntent({ requestId: request.id, principal: getPrincipal(request), call, demand, atMs: pricedAtMs })
}

async function store(app: FastifyInstance, events: readonly UsageEvent[]): Promise<void> {
  if (app.database.state !== 'ready') throw new DatabaseUnavailableError(`the database is ${app.database.state}`)
  try {
    await insertUsageEvents(app.sql, events, storeTimeoutMs)
  } catch (error) {
    app.database.reportFailure(error)
    throw error
  }
}

function refuse(app: FastifyInstance, request: FastifyRequest): WeirError {
  app.meters.ledger.refused(getPrincipal(request).tier)
  return new WeirError('ledgerUnavailable', noRoom, { retryAfterMs })
}

/**
 * Where all tiers are alike none of them is refused before the others. A tier that the configuration does not have grants
 * nothing, so who comes here with one has the preset key: the operator's own, which is refused after all others.
 */
function isOfLowestTier(request: FastifyRequest): boolean {
  const { tiers } = getConfiguration(request)
  const priorities = Object.values(tiers).map(({ priority }) => priority)
  const own = tiers[getPrincipal(request).tier]?.priority
  return own !== undefined && own === Math.min(...priorities) && own < Math.max(...priorities)
}

function report(app: FastifyInstance, notice: LedgerNotice): void {
  const { kind, ...details } = notice
  switch (notice.kind) {
    case 'level':
      app.meters.ledger.setLevel(notice.level)
      if (notice.level === 'ok') app.log.info(details, 'ledger: there is room again')
      else app.log.error(details, 'ledger: there is little room; requests are refused, nothing is lost')
      return
    case 'unknown':
      app.meters.ledger.foundUnknown(notice.events)
      app.log.warn(details, 'ledger: requests that an earlier process did not live to finish are recorded as unknown')
      return
    case 'damage':
      app.meters.ledger.lost(notice.lost)
      app.log.error(details, 'ledger: damage')
      return
    case 'segments_missing':
      // Each had one at least.
      app.meters.ledger.lost(notice.to - notice.from + 1)
      app.log.error(details, 'ledger: segments missing')
      return
    case 'segment_displaced':
      app.log.error(details, 'ledger: a file was removed or renamed under this process; what it had is written again')
      return
    case 'folder_taken_anew':
      app.log.error(
        details,
        'ledger: its folder or its lock was removed or renamed under this process; it is taken anew',
      )
      return
    case 'cursor_damaged':
    case 'segment_distrusted':
    case 'write_failed':
    case 'sweep_failed':
    case 'unknown_failed': {
      if (kind === 'segment_distrusted' || kind === 'write_failed') app.meters.ledger.diskFailed()
      const { error: err, ...others } = { error: undefined, ...details }
      app.log.error({ ...others, ...(err === undefined ? {} : { err }) }, `ledger: ${kind.replaceAll('_', ' ')}`)
    }
  }
}
