/** A server with a prompt cache, as far as a picker can tell: what is under way, and what had to be computed anew. */
export class PrefixCacheServer {
  readonly id: string
  readonly slots: number
  inFlight = 0
  /** Prompt tokens that were in no cached prompt; four characters are one. */
  recomputed = 0
  /** What it remembers, the least recently used first. */
  #cached: string[] = []

  constructor(id: string, slots: number) {
    this.id = id
    this.slots = slots
  }

  /** Reads a prompt; answers how many of its tokens had to be computed. It remembers as many prompts as it has slots. */
  read(prompt: string): number {
    const known = this.#cached.reduce((longest, each) => Math.max(longest, sharedLength(each, prompt)), 0)
    const tokens = Math.ceil((prompt.length - known) / 4)
    this.recomputed += tokens
    this.#remember(prompt)
    return tokens
  }

  /** Answers a prompt. Engines keep what they have written as well as what they have read. */
  write(prompt: string, answer: string): void {
    this.#remember(prompt + answer)
  }

  /** What goes on takes the place of what it was. */
  #remember(text: string): void {
    this.#cached = [...this.#cached.filter(each => !text.startsWith(each)), text].slice(-this.slots)
  }
}

/** By halving: prompts are compared thousands of times, and most share either nearly all or little. */
function sharedLength(one: string, other: string): number {
  let [shared, most] = [0, Math.min(one.length, other.length)]
  while (shared < most) {
    const middle = Math.ceil((shared + most) / 2)
    if (other.startsWith(one.slice(shared, middle), shared)) shared = middle
    else most = middle - 1
  }
  return shared
}
