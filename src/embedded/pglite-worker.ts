/** The thread that runs PGlite: wire messages in, wire messages out. It is started by pglite.ts only. */
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import type { FromWorker, ToWorker, WorkerOptions } from './pglite-protocol.ts'

if (!parentPort) throw new Error('pglite-worker.ts runs as a worker thread')
const port = parentPort
const { databaseDir }: WorkerOptions = workerData

const options = {
  // PostgreSQL's own default of 128 MB is memory that the program would hold for a few small tables.
  startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB'],
  // There to be created where a semantic cache is configured.
  extensions: { vector },
}

/**
 * A database whose making was interrupted looks complete to PGlite. It is therefore made beside its place and moved
 * there when it is whole.
 */
async function open(): Promise<PGlite> {
  if (!existsSync(databaseDir)) {
    const unfinished = `${databaseDir}.new`
    await rm(unfinished, { recursive: true, force: true })
    await mkdir(unfinished, { recursive: true, mode: 0o700 })
    const fresh = await PGlite.create(unfinished, options)
    await fresh.close()
    await rename(unfinished, databaseDir)
  }
  return await PGlite.create(databaseDir, options)
}

function say(message: FromWorker): void {
  if (message.kind === 'wire') port.postMessage(message, [message.bytes.buffer as ArrayBuffer])
  else port.postMessage(message)
}

async function answer(database: PGlite, bytes: Uint8Array): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  // What the callback is given is a view of PGlite's memory, good only until it returns.
  await database.execProtocolRawStream(bytes, { onRawData: part => parts.push(part.slice()) })
  const [only] = parts
  return parts.length === 1 && only ? only : new Uint8Array(Buffer.concat(parts))
}

/** A query as a wire message: PGlite's own calls do not mix with the raw ones. */
function simpleQuery(text: string): Uint8Array {
  const message = Buffer.alloc(1 + 4 + text.length + 1)
  message.write('Q', 0)
  message.writeUInt32BE(message.length - 1, 1)
  message.write(text, 5)
  return message
}

async function handle(database: PGlite, message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'wire':
      say({ ...message, bytes: await answer(database, message.bytes) })
      return
    case 'reset':
      await answer(database, simpleQuery('rollback'))
      await answer(database, simpleQuery('discard all'))
      return
    case 'close':
      await database.close()
      say({ kind: 'closed' })
      port.close()
      return
    default:
      message satisfies never
  }
}

try {
  const database = await open()
  let last = Promise.resolve()
  port.on('message', (message: ToWorker) => {
    last = last.then(() => handle(database, message))
  })
  say({ kind: 'ready' })
} catch (error) {
  say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  port.close()
}
