/** How many bytes of each segment can be read, by its number, and their sum; beside it, how many finals were to be read. */
export class SegmentLengths extends Map<number, number> {
  readonly #finals = new Map<number, number>()
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  override set(segment: number, length: number): this {
    this.#bytes += length - (this.get(segment) ?? 0)
    return super.set(segment, length)
  }

  override delete(segment: number): boolean {
    this.#bytes -= this.get(segment) ?? 0
    this.#finals.delete(segment)
    return super.delete(segment)
  }

  addFinals(segment: number, finals: number): void {
    this.#finals.set(segment, this.finalsOf(segment) + finals)
  }

  /** Those that a segment has got from this process, or had behind the cursor when this process began. */
  finalsOf(segment: number): number {
    return this.#finals.get(segment) ?? 0
  }
}
