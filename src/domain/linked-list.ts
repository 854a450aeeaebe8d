/** A value's place in a list, by which it is taken out again. */
export interface ListNode<Value> {
  readonly value: Value
  /** Null once it has been taken out. */
  list: LinkedList<Value> | null
  before: ListNode<Value> | null
  after: ListNode<Value> | null
}

/** Linked both ways: what is added at an end or taken out anywhere costs the same, however long it is. */
export class LinkedList<Value> implements Iterable<ListNode<Value>> {
  #first: ListNode<Value> | null = null
  #last: ListNode<Value> | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  get last(): ListNode<Value> | null {
    return this.#last
  }

  append(value: Value): ListNode<Value> {
    return this.#link({ value, list: this, before: this.#last, after: null })
  }

  prepend(value: Value): ListNode<Value> {
    return this.#link({ value, list: this, before: null, after: this.#first })
  }

  /** Without effect on a node that is not of this list. */
  remove(node: ListNode<Value>): void {
    if (node.list !== this) return
    if (node.before === null) this.#first = node.after
    else node.before.after = node.after
    if (node.after === null) this.#last = node.before
    else node.after.before = node.before
    node.list = null
    node.before = null
    node.after = null
    this.#size--
  }

  moveToEnd(node: ListNode<Value>): void {
    if (node.list !== this || node === this.#last) return
    this.remove(node)
    node.list = this
    node.before = this.#last
    this.#link(node)
  }

  /** From the first to the last; ends with a node that is taken out on the way. */
  *[Symbol.iterator](): Iterator<ListNode<Value>> {
    for (let node = this.#first; node !== null; node = node.after) yield node
  }

  #link(node: ListNode<Value>): ListNode<Value> {
    if (node.before === null) this.#first = node
    else node.before.after = node
    if (node.after === null) this.#last = node
    else node.after.before = node
    this.#size++
    return node
  }
}
