import type { TestContext } from 'node:test'
import { Redis, type RedisOptions } from 'ioredis'
import { onEnd } from './cleanup.ts'

/** A connection of a user that nothing is forbidden. */
export async function signIn(t: TestContext, url: string): Promise<Redis> {
  const connect = (user: Pick<RedisOptions, 'username' | 'password'>) =>
    new Redis(url, { ...user, retryStrategy: () => null }).on('error', () => undefined)
  const asDefault = connect({})
  await asDefault.call('ACL', 'SETUSER', 'tester', 'on', '>tester', '~*', '&*', '+@all')
  asDefault.disconnect()
  const client = connect({ username: 'tester', password: 'tester' })
  onEnd(t, () => client.disconnect())
  return client
}
