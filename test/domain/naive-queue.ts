import type { Turn } from '../../src/domain/fair-queue.ts'

interface Waiting extends Turn {
  readonly id: number
}

/** What src/domain/fair-queue.ts has to do, said as plainly as possible. */
export class NaiveQueue {
  /** Those of one account in the order in which they are served. */
  waiting: Waiting[] = []
  /** Accounts by priority, in the order of their turns. */
  readonly turns = new Map<number, string[]>()

  push(id: number, turn: Turn): void {
    const accounts = this.#accountsOf(turn.priority)
    if (!accounts.includes(turn.account)) this.turns.set(turn.priority, [...accounts, turn.account])
    this.waiting = turn.isAhead ? [{ id, ...turn }, ...this.waiting] : [...this.waiting, { id, ...turn }]
  }

  shift(accepts: (id: number) => boolean): number | null {
    for (const priority of this.#priorities()) {
      for (const account of this.#accountsOf(priority)) {
        const next = this.#lineOf(priority, account).find(({ id }) => accepts(id))
        if (next === undefined) continue
        this.turns.set(priority, [...this.#accountsOf(priority).filter(other => other !== account), account])
        this.remove(next.id)
        return next.id
      }
    }
    return null
  }

  remove(id: number): void {
    this.waiting = this.waiting.filter(one => one.id !== id)
    for (const [priority, accounts] of this.turns) {
      const left = accounts.filter(account => this.#lineOf(priority, account).length > 0)
      if (left.length === 0) this.turns.delete(priority)
      else this.turns.set(priority, left)
    }
  }

  displaceFor({ priority, account }: Turn): number | null {
    const lowest = this.#priorities().at(-1)
    if (lowest === undefined || lowest > priority) return null
    const lines = this.#accountsOf(lowest).map(name => this.#lineOf(lowest, name))
    const longest = lines.reduce((a, b) => (b.length > a.length ? b : a))
    if (lowest === priority && longest.length <= this.#lineOf(priority, account).length + 1) return null
    const last = longest.at(-1)
    if (last !== undefined) this.remove(last.id)
    return last?.id ?? null
  }

  /** In the order in which they would be served if nothing happened. */
  order(): number[] {
    const copy = new NaiveQueue()
    copy.waiting = this.waiting
    for (const [priority, accounts] of this.turns) copy.turns.set(priority, accounts)
    const served: number[] = []
    for (let id = copy.shift(() => true); id !== null; id = copy.shift(() => true)) served.push(id)
    return served
  }

  #priorities(): number[] {
    return [...this.turns.keys()].toSorted((a, b) => b - a)
  }

  #accountsOf(priority: number): string[] {
    return this.turns.get(priority) ?? []
  }

  #lineOf(priority: number, account: string): Waiting[] {
    return this.waiting.filter(one => one.priority === priority && one.account === account)
  }
}
