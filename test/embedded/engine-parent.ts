/** A parent for the test that kills it: starts the engine and prints its URL. */
import { start } from './engine-fixture.ts'

process.stdout.write(`${await start().ready}\n`)
