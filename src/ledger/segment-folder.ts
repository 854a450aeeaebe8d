/** The segment files of a ledger: how they are named, which there are, and their frames. */
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeFrames, type Frame, maxFrameBytes } from './frame.ts'

const segmentName = /^segment-(\d{10,15})\.log$/
/** Read at a time; more than the longest frame, so that each time at least one is whole. */
const stretchBytes = 4 * maxFrameBytes

/** What is said of a segment that ends in the middle of a record. */
export const tornRecord = 'a record that is not whole'

/** A place between two records. */
export interface LedgerPosition {
  readonly segment: number
  /** In bytes from the beginning of the segment. */
  readonly offset: number
}

export function isBehind({ segment, offset }: LedgerPosition, cursor: LedgerPosition | null): boolean {
  if (cursor === null) return false
  return segment < cursor.segment || (segment === cursor.segment && offset < cursor.offset)
}

export function segmentPath(folder: string, number: number): string {
  return join(folder, `segment-${String(number).padStart(10, '0')}.log`)
}

export const isSegmentName = (name: string): boolean => segmentName.test(name)

/** In their order. */
export async function listSegments(folder: string): Promise<number[]> {
  const names = await readdir(folder)
  return names
    .flatMap(name => {
      const number = segmentName.exec(name)?.[1]
      return number === undefined ? [] : [Number(number)]
    })
    .sort((a, b) => a - b)
}

/** The numbers that are not there although there is one before and one after them. */
export function missingSegments(numbers: readonly number[]): readonly { from: number; to: number }[] {
  return numbers.flatMap((number, index) => {
    const before = numbers[index - 1]
    return before === undefined || before + 1 >= number ? [] : [{ from: before + 1, to: number - 1 }]
  })
}

/** A file that can be read; `FileHandle` is one. */
interface Source {
  read(bytes: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>
}

interface Stretch {
  /** Their places are those in the segment. */
  readonly frames: readonly Frame[]
  /** Where to read on. */
  readonly next: number
  /** Why nothing from `next` on can be read. */
  readonly damage: string | null
}

/** Some frames of a segment, which has whole ones from `start` to `end` unless it is damaged. */
async function readStretch(file: Source, start: number, end: number): Promise<Stretch> {
  const bytes = Buffer.allocUnsafe(Math.min(stretchBytes, end - start))
  const have = await readFully(file, bytes, start)
  const decoded = decodeFrames(bytes.subarray(0, have))
  const frames = decoded.frames.map(frame => ({ ...frame, start: start + frame.start, end: start + frame.end }))
  const next = start + decoded.end
  const isLast = start + have === end || have < bytes.length
  const isTorn = decoded.damage === null && isLast && next < end
  return { frames, next, damage: isTorn ? tornRecord : decoded.damage }
}

/** Each stretch of a segment up to `end`, or up to its damage. Rejects where the file is gone. */
export async function* readSegment(path: string, start: number, end: number): AsyncGenerator<Stretch> {
  if (start >= end) return
  const file = await open(path, 'r')
  try {
    yield* readOpened(file, start, end)
  } finally {
    await file.close()
  }
}

/** The same of a file that is open, which stays so. */
export async function* readOpened(file: Source, start: number, end: number): AsyncGenerator<Stretch> {
  for (let at = start; at < end; ) {
    const stretch = await readStretch(file, at, end)
    yield stretch
    if (stretch.damage !== null) return
    at = stretch.next
  }
}

async function readFully(file: Source, bytes: Buffer, start: number): Promise<number> {
  for (let have = 0; ; ) {
    const { bytesRead } = await file.read(bytes, have, bytes.length - have, start + have)
    have += bytesRead
    if (bytesRead === 0 || have === bytes.length) return have
  }
}
