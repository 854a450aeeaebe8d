import { test } from 'node:test'
import { interruptOnDatabases } from '../../support/interrupted-start.ts'

test('G04 SIGTERM at any moment of 20 starts on new databases: at once, each with its whole schema or none, and no lock is left', t =>
  interruptOnDatabases(t, 20))
