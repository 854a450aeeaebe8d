/** Reads the metrics of a gateway, by the text that a scrape gets. */
export class Series {
  readonly #lines: readonly string[]

  constructor(text: string) {
    this.#lines = text.split('\n')
  }

  /** The sum of all series of this name that have at least these labels; null where there is none. */
  sum(name: string, labels: Readonly<Record<string, string | number>> = {}): number | null {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    const found = this.#lines.filter(
      line => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && wanted.every(part => line.includes(part)),
    )
    return found.length === 0 ? null : found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }

  /** How many series there are, comments left out. */
  get count(): number {
    return this.#lines.filter(line => line !== '' && !line.startsWith('#')).length
  }
}

export async function readSeries(gateway: {
  readonly app: { readonly meters: { expose(): Promise<{ readonly text: string }> } }
}): Promise<Series> {
  return new Series((await gateway.app.meters.expose()).text)
}
