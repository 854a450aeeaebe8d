/** The level of the log, which can be changed while it runs: by the configuration, by an administrator and by SIGUSR2. */
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { LevelWithSilent } from 'pino'
import { LogLevel } from '../src/log/log-level.ts'

declare module 'fastify' {
  interface FastifyInstance {
    readonly logLevel: LogControl
  }
}

export interface LogControl {
  readonly level: LevelWithSilent
  readonly configured: LevelWithSilent
  /** Of this process, until it is asked again or ends; null is as configured. `cause`: for the log. */
  ask(level: LevelWithSilent | null, cause: string): void
  /** To `debug`, and from there back to what is configured. */
  turnDebug(cause: string): void
}

const letsWarningsThrough: ReadonlySet<LevelWithSilent> = new Set(['trace', 'debug', 'info', 'warn'])

export default fp(
  async (app: FastifyInstance) => {
    const { configuration, log } = app
    const level = new LogLevel(log, configuration.current.log.level)
    const change = (asked: LevelWithSilent | null, cause: string) => {
      const before = level.current
      const after = asked ?? level.configured
      const say = () => log.warn({ cause, before, after }, 'log level changed')
      // Once, by whichever of the two levels lets it through.
      const isSaid = before !== after && letsWarningsThrough.has(before)
      if (isSaid) say()
      level.ask(asked)
      if (before !== after && !isSaid) say()
    }
    const control: LogControl = {
      get level() {
        return level.current
      },
      get configured() {
        return level.configured
      },
      ask: change,
      turnDebug: cause => change(level.current === 'debug' ? null : 'debug', cause),
    }
    configuration.onReload(next => ({ commit: () => level.configure(next.log.level) }))
    app.decorate('logLevel', control)
  },
  { name: 'log-level', fastify: '5.x', dependencies: ['configuration'] },
)
