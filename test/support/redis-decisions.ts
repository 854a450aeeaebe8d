/** What Redis decided on an account's requests, and when by its own clock. */
import type { TestContext } from 'node:test'
import { Redis } from 'ioredis'
import { onEnd } from './cleanup.ts'

/** The script's own time lies between these two, both in microseconds. */
export interface Decision {
  readonly notBeforeUs: number
  readonly notAfterUs: number
}

export interface DecisionLog {
  /** Of this account, oldest first; all that Redis took until now. */
  decisions(accountId: string): Promise<readonly Decision[]>
}

/**
 * Follows a Redis by MONITOR. It prints a script's call before the script runs and what the script calls after that has run:
 * the time that a decision goes by lies between the call's stamp and that of its TIME.
 */
export async function watchDecisions(t: TestContext, url: string): Promise<DecisionLog> {
  // Where this Redis is killed there is nothing left to follow.
  const connect = () => new Redis(url, { retryStrategy: () => null }).on('error', () => undefined)
  const [client, marker] = [connect(), connect()]
  const monitor = await client.monitor()
  monitor.on('error', () => undefined)
  onEnd(t, () => {
    for (const connection of [client, marker, monitor]) connection.disconnect()
  })
  const seen = new Map<string, Decision[]>()
  const marks = new Map<string, () => void>()
  let open: { readonly account: string; readonly notBeforeUs: number } | null = null
  monitor.on('monitor', (time: string, args: string[], source: string) => {
    const [seconds = '', us = ''] = time.split('.')
    const atUs = Number(seconds) * 1_000_000 + Number(us)
    const command = args[0]?.toLowerCase()
    if (source !== 'lua') {
      const account = args.includes('reserve')
        ? /\{(.*?)\}/.exec(args.find(arg => arg.startsWith('weir:{')) ?? '')?.[1]
        : undefined
      const isScript = command === 'evalsha' || command === 'eval'
      open = isScript && account !== undefined ? { account, notBeforeUs: atUs } : null
      if (command === 'echo') marks.get(args[1] ?? '')?.()
    } else if (command === 'time' && open !== null) {
      const { account, notBeforeUs } = open
      open = null
      seen.set(account, [...(seen.get(account) ?? []), { notBeforeUs, notAfterUs: atUs }])
    }
  })
  let markers = 0
  return {
    async decisions(accountId) {
      const mark = `mark ${++markers}`
      const { promise, resolve } = Promise.withResolvers<void>()
      marks.set(mark, resolve)
      await marker.echo(mark)
      await promise
      return seen.get(accountId) ?? []
    },
  }
}
