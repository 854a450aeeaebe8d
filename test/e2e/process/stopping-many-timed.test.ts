import { test } from 'node:test'
import { stopWithStreams } from '../../support/many-streams.ts'

test('G01 SIGTERM with 300 streams and a grace of 30 s: none is cut silently, and all that was used is stored', t =>
  stopWithStreams(t, 300))
