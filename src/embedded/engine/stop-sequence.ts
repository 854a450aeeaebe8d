/** Text as far as it may be shown, and whether a stop sequence ended it. */
export interface VisibleText {
  readonly text: string
  readonly isStopped: boolean
}

/**
 * What of a growing answer may be shown. A stop sequence and all after it never is; an end that could still become a
 * stop sequence is held back until the next token decides, or until `isComplete` says that none will come.
 */
export function findVisibleText(text: string, stops: readonly string[], isComplete: boolean): VisibleText {
  const cuts = stops.map(stop => text.indexOf(stop)).filter(index => index >= 0)
  if (cuts.length > 0) return { text: text.slice(0, Math.min(...cuts)), isStopped: true }
  if (isComplete) return { text, isStopped: false }
  const held = Math.max(0, ...stops.map(stop => countHeldBack(text, stop)))
  return { text: text.slice(0, text.length - held), isStopped: false }
}

/** The length of the longest end of the text that is a beginning of the stop sequence. */
function countHeldBack(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(stop.slice(0, length))) return length
  }
  return 0
}
