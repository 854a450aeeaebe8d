import type { UsageIntent } from '../domain/usage-event.ts'
import { parseRecord } from './ledger-record.ts'
import { readSegment, segmentPath } from './segment-folder.ts'

/** Which segment has the intent of those that have no final, by their id. */
export type OpenIntents = ReadonlyMap<string, number>

/** The open intents of one segment, some at a time, each once: asked anew for each stretch, since finals come meanwhile. */
export async function* readOpenIntents(
  folder: string,
  { segment, length }: { segment: number; length: number },
  open: OpenIntents,
): AsyncGenerator<readonly UsageIntent[]> {
  for await (const { frames } of readSegment(segmentPath(folder, segment), 0, length)) {
    const intents = new Map<string, UsageIntent>()
    for (const frame of frames) {
      const record = parseRecord(frame)
      if (record.kind === 'intent' && open.get(record.intent.id) === segment)
        intents.set(record.intent.id, record.intent)
    }
    if (intents.size > 0) yield [...intents.values()]
  }
}

/** Calls `finish` for all of them, some at a time; gives how often it said that it is done. */
export async function finishAll(
  folder: string,
  { lengths, open }: { readonly lengths: ReadonlyMap<number, number>; readonly open: OpenIntents },
  finish: (intent: UsageIntent) => Promise<boolean>,
): Promise<number> {
  let finished = 0
  for (const segment of new Set(open.values())) {
    for await (const intents of readOpenIntents(folder, { segment, length: lengths.get(segment) ?? 0 }, open)) {
      const results = await Promise.all(intents.map(finish))
      finished += results.filter(Boolean).length
    }
  }
  return finished
}
