import { setTimeout as delay } from 'node:timers/promises'
import type { DatabaseContact } from './contact.ts'
import { isUnavailable } from './deadline.ts'

const retryMs = 500

/**
 * Does a step of the start that needs the database, as soon as it answers and however long that takes. The step may be
 * repeated after a part of it was done. Rejects with what the step throws, but for an outage, and when it is closed.
 */
export async function afterFirstContact<Result>(
  database: Pick<DatabaseContact, 'firstContact' | 'reportFailure'>,
  step: () => Promise<Result>,
): Promise<Result> {
  await database.firstContact
  for (;;) {
    try {
      return await step()
    } catch (error) {
      if (!isUnavailable(error)) throw error
      database.reportFailure(error)
      await delay(retryMs)
    }
  }
}
