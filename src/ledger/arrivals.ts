/** How much has come so far, for whoever waits until more has. */
export class Arrivals {
  #count = 0
  #more = Promise.withResolvers<void>()

  get count(): number {
    return this.#count
  }

  add(arrived: number): void {
    if (arrived === 0) return
    this.#count += arrived
    this.#more.resolve()
    this.#more = Promise.withResolvers()
  }

  /** Resolves when more has come since the count was this number. */
  async since(count: number): Promise<void> {
    if (count === this.#count) await this.#more.promise
  }
}
