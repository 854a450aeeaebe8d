/**
 * Loaded before every test file by the scripts of package.json: ends what node's own `--test-timeout` leaves running. That
 * bounds each test and each hook, but no file: one that never gets as far as a test, a loop that gives nobody else a turn,
 * or a handle that stays open after the last test would hold the runner for ever. Whoever the killed file has started is
 * ended by its reapers.
 */
import { writeSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** How long a file may stay after its last test. */
const MAX_LINGER_MS = 30_000

interface Bound {
  readonly file: string
  readonly withinMs: number
  readonly state: string
}

const [, file = ''] = process.argv
// Not in the runner, and not in a child that a test has forked with the same flags.
const isTestFile = process.env['NODE_TEST_CONTEXT'] === 'child-v8' && /\.test\.m?[jt]s$/.test(file)
if (isMainThread) {
  if (isTestFile) await watchFromOutside(file)
  // Not in the threads that a file or the program starts, which are given the same flags.
} else if (workerData?.fileBound !== undefined) watch(workerData.fileBound)

/** In a thread of its own, which has its turn also while the file's own thread gives none. */
async function watchFromOutside(file: string): Promise<void> {
  const testMs = Number(/^--test-timeout=(\d+)$/m.exec(process.execArgv.join('\n'))?.[1] ?? Number.NaN)
  if (!(testMs > 0)) throw new Error('file-bound.ts needs --test-timeout=MS: a file may be silent for twice that long')
  const bound = (withinMs: number, state: string): Bound => ({ file, withinMs, state })
  // Twice: a test may have been given more time than the others by name.
  const betweenTests = bound(2 * testMs, 'no test has ended')
  const watcher = new Worker(new URL(import.meta.url), { workerData: { fileBound: betweenTests }, execArgv: [] })
  watcher.unref()
  const { after, afterEach, beforeEach } = await import('node:test')
  // By its name: a few files share a process (scripts/run-tests.ts).
  beforeEach(t => watcher.postMessage(bound(2 * testMs, `"${t.name}" has not ended`)))
  afterEach(() => watcher.postMessage(betweenTests))
  after(() =>
    watcher.postMessage(bound(Math.min(MAX_LINGER_MS, testMs), 'the tests are over, but something is still open')),
  )
}

function watch(first: Bound): void {
  let timer: NodeJS.Timeout | undefined
  const start = ({ file, withinMs, state }: Bound) => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      writeSync(2, `${file}: ${state} for ${withinMs} ms: killed\n`)
      process.kill(process.pid, 'SIGKILL')
    }, withinMs)
  }
  start(first)
  parentPort?.on('message', start)
}
