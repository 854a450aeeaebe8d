/** The events of an answer that several callers are given, each as far as it has read; see tailOf. */
export class EventLog {
  #tails: string[] = []
  /** The number of the first one that is kept. */
  #first = 0
  #bytes = 0

  /** The number of the next one. */
  get end(): number {
    return this.#first + this.#tails.length
  }

  /** Of those that are kept, in characters. */
  get length(): number {
    return this.#bytes
  }

  add(tail: string): void {
    this.#tails.push(tail)
    this.#bytes += tail.length
  }

  /** Undefined where it has not come yet, or is not kept any more. */
  at(number: number): string | undefined {
    return this.#tails[number - this.#first]
  }

  /** Everybody has had those before this number. */
  dropBefore(number: number): void {
    const dropped = this.#tails.splice(0, Math.max(0, number - this.#first))
    this.#first += dropped.length
    for (const tail of dropped) this.#bytes -= tail.length
  }

  /** It begins anew. */
  clear(): void {
    this.#tails = []
    this.#first = 0
    this.#bytes = 0
  }
}
