import { Redis } from 'ioredis'

/** What a connection for another use does differently. */
export interface RedisUse {
  readonly connectionName?: string
  readonly commandTimeout?: number
  readonly autoResubscribe?: boolean
}

/** Waits until it is connected, so long at most. Never rejects. */
export async function untilConnected(client: Redis, withinMs: number): Promise<void> {
  if (client.status === 'ready') return
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, withinMs)
  client.once('ready', resolve)
  await promise
  clearTimeout(timer)
  client.off('ready', resolve)
}

/** The defaults of ioredis keep every request waiting on a server that is frozen or gone; these fail at once. */
export function connectRedis(url: string, use: RedisUse = {}): Redis {
  return new Redis(url, {
    connectionName: 'weir',
    connectTimeout: 500,
    commandTimeout: 50,
    // Bytes that never come: the other side is gone without a word, so make a new connection.
    socketTimeout: 2000,
    enableOfflineQueue: false,
    // What was sent may have been done: nothing is sent twice.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // Automatic pipelines wait for one another: with a Redis some milliseconds away a command would take two round trips, and
    // behind a frozen one two timeouts. Commands of one turn are written together without them, and cost no more.
    enableAutoPipelining: false,
    retryStrategy: attempt => Math.min(50 * 2 ** Math.min(attempt, 5), 1000) * (0.5 + Math.random() / 2),
    // After a failover the old primary answers READONLY until it is left.
    reconnectOnError: error => error.message.startsWith('READONLY'),
    ...use,
  })
}
