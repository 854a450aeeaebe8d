/** When the configuration is read again besides by signal and call, and what is said of every reload. */
import fp from 'fastify-plugin'
import { watchFile } from '../src/config/file-watch.ts'
import type { Causes, ReloadOutcome } from '../src/config/live-config.ts'
import { describeProblem } from '../src/config/problem.ts'

interface ConfigReloadOptions {
  readonly watchFile: boolean
}

/** A file may change thousands of keys at once; the log names the first of them. */
const maxKeysLogged = 100

/** What a refused file lacked, such as a secret in another one, may come without it: so often it is read again. */
const refusedRetryMs = 2000

export default fp<ConfigReloadOptions>(
  async (app, options) => {
    const { configuration, log } = app
    const meters = app.meters.configuration
    let refusedFor: string | null = null
    const report = (outcome: ReloadOutcome, causes: Causes) => {
      const before = refusedFor
      refusedFor = outcome.kind === 'refused' ? outcome.problems.map(describeProblem).join('\n') : null
      // Of what is read again by itself only news is told.
      if (refusedFor !== null && refusedFor === before && causes.size === 1 && causes.has('retry')) return
      meters.reloaded(outcome.kind)
      const cause = [...causes].join(', ')
      switch (outcome.kind) {
        case 'refused':
          log.error(
            { cause, problems: outcome.problems.map(describeProblem) },
            'configuration refused; nothing has changed',
          )
          return
        case 'failed':
          log.error({ cause, err: outcome.error }, 'configuration could not be read again; nothing has changed')
          return
        case 'applied':
        case 'unchanged': {
          const { kind, changed, needsRestart, warnings } = outcome
          meters.loaded(configuration.digest)
          for (const warning of warnings) log.warn({ warning }, 'configuration')
          const fields = { cause, changed: firstOf(changed), needsRestart: firstOf(needsRestart) }
          const message =
            kind === 'applied' ? 'configuration reloaded' : 'configuration read again; nothing has changed'
          if (needsRestart.length === 0) log.info(fields, message)
          else log.warn(fields, `${message}; what needs a restart stays as it is`)
        }
      }
    }
    meters.loaded(configuration.digest)
    configuration.onOutcome(report)
    const { file, digest } = configuration
    if (file === null || !options.watchFile) return
    const watch = watchFile({
      path: file,
      digest,
      // A signal or a call may have been faster.
      onChange: found => found === configuration.digest || void configuration.reload('file'),
    })
    const retry = setInterval(() => refusedFor === null || void configuration.reload('retry'), refusedRetryMs)
    retry.unref()
    app.addHook('preClose', async () => {
      watch.close()
      clearInterval(retry)
    })
  },
  { name: 'config-reload', fastify: '5.x', dependencies: ['configuration', 'metrics'] },
)

const firstOf = (keys: readonly string[]): readonly string[] =>
  keys.length <= maxKeysLogged
    ? keys
    : [...keys.slice(0, maxKeysLogged), `and ${keys.length - maxKeysLogged} more keys`]
