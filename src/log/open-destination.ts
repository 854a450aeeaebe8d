import type { DestinationStream } from 'pino'
import { LineWriter } from './line-writer.ts'

export interface Destination {
  readonly stream: DestinationStream
  /** Writes what waits. */
  readonly flush: () => void
}

export interface DestinationOptions {
  readonly isProduction: boolean
  /** See LineWriterOptions. */
  readonly onLost: (lines: number) => void
}

/** Buffered, but a line is never older than a moment when somebody looks. */
const flushMs = 200

/**
 * Standard output: JSON, or, for a developer at a terminal, what can be read where `pino-pretty` is installed. It never is
 * in production, and what is no terminal is read by programs.
 */
export async function openDestination({ isProduction, onLost }: DestinationOptions): Promise<Destination> {
  const pretty = process.stdout.isTTY && !isProduction ? await openPretty() : null
  if (pretty !== null) return { stream: pretty, flush: () => undefined }
  const stream = new LineWriter({ fd: 1, onLost })
  const flush = () => stream.flush()
  setInterval(flush, flushMs).unref()
  process.on('exit', () => stream.flushSync())
  return { stream, flush }
}

async function openPretty(): Promise<DestinationStream | null> {
  // In a variable, because it may be absent: then it is JSON.
  const name = 'pino-pretty'
  try {
    const { default: build }: { default: (options: object) => DestinationStream } = await import(name)
    return build({ destination: 1, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' })
  } catch {
    return null
  }
}
