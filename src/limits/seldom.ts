/** Says something at most once in `everyMs`, and drops what comes between: the first of many is enough for a log. */
export function seldom(everyMs: number, say: (reason: string) => void): (reason: string) => void {
  let saidMs = Number.NEGATIVE_INFINITY
  return reason => {
    const nowMs = performance.now()
    if (nowMs - saidMs < everyMs) return
    saidMs = nowMs
    say(reason)
  }
}
