/** Notices a pepper that is not the one with which the keys in the database were made. */
import { createHmac } from 'node:crypto'
import type { Sql } from 'postgres'
import type { Peppers } from '../domain/api-key.ts'
import { withDeadline } from './deadline.ts'

/** Every key would be refused, and nobody could tell why. */
export class WrongPepperError extends Error {
  constructor(version: number) {
    super(
      `The pepper of version ${version} is not the one that the keys in this database were made with, so none of them ` +
        'would work. Set WEIR_KEY_PEPPER to what it was, or list what it was in auth.previousKeyPeppers and let the new ' +
        'one come behind it.',
    )
    this.name = 'WrongPepperError'
  }
}

const label = 'weir:pepper:fingerprint:1'

/**
 * Writes down a fingerprint of each pepper that is new, and compares the others. Throws WrongPepperError for one that
 * differs. A fingerprint says nothing about the pepper.
 */
export async function checkPeppers(sql: Sql, { byVersion }: Peppers): Promise<void> {
  const given = [...byVersion].map(([version, pepper]) => {
    return { version, print: createHmac('sha256', pepper).update(label).digest('hex') }
  })
  const differing = await withDeadline(sql<{ version: number }[]>`
    with given as (
      select * from jsonb_to_recordset(${sql.json(given)}) as given (version smallint, print text)
    ), added as (
      insert into peppers (version, fingerprint) select version, decode(print, 'hex') from given
      on conflict (version) do nothing
    )
    select given.version from given join peppers using (version)
    where peppers.fingerprint <> decode(given.print, 'hex') order by version`)
  const [first] = differing
  if (first !== undefined) throw new WrongPepperError(first.version)
}
