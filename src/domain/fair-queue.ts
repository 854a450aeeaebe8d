/**
 * A queue that is fair between accounts. Higher priorities are served first; within one, accounts take turns (round robin:
 * Nagle, RFC 970), and within an account whoever came first. So however many an account has waiting, another's single one
 * waits for one turn of it. Who pushes keeps it bounded: where no more may wait, the longest line gives way (longest queue
 * drop: McKenney, "Stochastic Fairness Queueing", 1990), else one account could fill the queue and keep all others out.
 */
import { LinkedList, type ListNode } from './linked-list.ts'

/** Who waits, as far as it decides who goes first. */
export interface Turn {
  /** Higher goes first. */
  readonly priority: number
  readonly account: string
  /** Before all that the account has waiting: it has had a turn which came to nothing. */
  readonly isAhead: boolean
}

/** What one account has waiting in one priority. */
interface Line<Item> {
  readonly account: string
  readonly band: Band<Item>
  readonly entries: LinkedList<Entry<Item>>
}

/** One priority. Only lines in which somebody waits are kept, so whoever begins to wait is the last to have a turn. */
interface Band<Item> {
  readonly priority: number
  /** In the order of their turns. */
  readonly lines: LinkedList<Line<Item>>
  readonly byAccount: Map<string, ListNode<Line<Item>>>
  size: number
}

interface Entry<Item> {
  readonly item: Item
  readonly line: Line<Item>
}

/** By which an item that waits is found again. */
export type Ticket<Item> = ListNode<Entry<Item>>

export class FairQueue<Item> implements Iterable<Item> {
  /** The highest priority first. Only those in which somebody waits. */
  readonly #bands: Band<Item>[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  push(item: Item, { priority, account, isAhead }: Turn): Ticket<Item> {
    const band = this.#bandOf(priority)
    const line = this.#lineOf(band, account)
    band.size++
    this.#size++
    return isAhead ? line.entries.prepend({ item, line }) : line.entries.append({ item, line })
  }

  /** Takes out the next one that is accepted; null where there is none. Whoever is passed over keeps their turn. */
  shift(accepts: (item: Item) => boolean): Item | null {
    for (const band of this.#bands) {
      for (const line of band.lines) {
        for (const ticket of line.value.entries) {
          if (!accepts(ticket.value.item)) continue
          band.lines.moveToEnd(line)
          this.remove(ticket)
          return ticket.value.item
        }
      }
    }
    return null
  }

  /** Takes it out, if it is still there. */
  remove(ticket: Ticket<Item>): void {
    const { entries, band, account } = ticket.value.line
    if (ticket.list !== entries) return
    entries.remove(ticket)
    this.#size--
    band.size--
    if (entries.size > 0) return
    const line = band.byAccount.get(account)
    if (line !== undefined) band.lines.remove(line)
    band.byAccount.delete(account)
    if (band.size === 0) this.#bands.splice(this.#bands.indexOf(band), 1)
  }

  /**
   * Takes out the one who gives way to a newcomer: the last one of the longest line in the lowest priority. Null where
   * nobody has to: where the newcomer would be that one, or its line as long. Takes as many steps as accounts wait in that
   * priority.
   */
  displaceFor({ priority, account }: Turn): Item | null {
    const lowest = this.#bands.at(-1)
    if (lowest === undefined || lowest.priority > priority) return null
    let longest = lowest.priority === priority ? (lowest.byAccount.get(account)?.value.entries.size ?? 0) + 1 : 0
    let last: Ticket<Item> | null = null
    for (const { value } of lowest.lines) {
      if (value.entries.size <= longest) continue
      longest = value.entries.size
      last = value.entries.last
    }
    if (last === null) return null
    this.remove(last)
    return last.value.item
  }

  /**
   * How many are served before it, provided that all are accepted and nobody comes or leaves; null where it no longer waits.
   * Takes as many steps as accounts wait in its priority, and as its account has waiting before it; with `most`, which
   * stands for that many and more, about twice so many at the most.
   */
  positionOf(ticket: Ticket<Item>, most = Number.POSITIVE_INFINITY): number | null {
    const { line } = ticket.value
    const { band, entries } = line
    if (ticket.list !== entries) return null
    let before = 0
    for (const { priority, size } of this.#bands) if (priority > band.priority) before += size
    let turns = 0
    for (let node = ticket.before; node !== null && turns < most; node = node.before) turns++
    // Lines that come before its own have one turn more.
    let isBefore = 1
    for (const { value } of band.lines) {
      if (value === line) isBefore = 0
      // From here on nobody is before it, or it makes no difference how many.
      if (turns + isBefore === 0 || before >= most) break
      before += Math.min(value.entries.size, turns + isBefore)
    }
    return Math.min(before, most)
  }

  /** All that wait, in no particular order. */
  *[Symbol.iterator](): Iterator<Item> {
    for (const { lines } of this.#bands) {
      for (const { value } of lines) for (const ticket of value.entries) yield ticket.value.item
    }
  }

  #bandOf(priority: number): Band<Item> {
    const index = this.#bands.findIndex(band => band.priority <= priority)
    const known = this.#bands[index]
    if (known?.priority === priority) return known
    const made: Band<Item> = { priority, lines: new LinkedList(), byAccount: new Map(), size: 0 }
    this.#bands.splice(index === -1 ? this.#bands.length : index, 0, made)
    return made
  }

  #lineOf(band: Band<Item>, account: string): Line<Item> {
    const known = band.byAccount.get(account)
    if (known !== undefined) return known.value
    const made = band.lines.append({ account, band, entries: new LinkedList() })
    band.byAccount.set(account, made)
    return made.value
  }
}
