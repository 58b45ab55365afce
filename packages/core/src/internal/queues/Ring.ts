/** A first-in, first-out buffer that grows as needed and does not retain the items that were removed. */
export class Ring<A> {
  #items: Array<A | undefined> = new Array(smallest)
  #head = 0
  size = 0

  push(item: A): void {
    if (this.size === this.#items.length) this.#resize(this.size * 2)
    this.#items[(this.#head + this.size) & (this.#items.length - 1)] = item
    this.size++
  }

  unshift(item: A): void {
    if (this.size === this.#items.length) this.#resize(this.size * 2)
    this.#head = (this.#head - 1) & (this.#items.length - 1)
    this.#items[this.#head] = item
    this.size++
  }

  /** Only when there is an item. */
  shift(): A {
    const item = this.#items[this.#head] as A
    this.#items[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#items.length - 1)
    this.size--
    // After a burst, the memory of the burst is released.
    if (this.size === 0 && this.#items.length > large) {
      this.#items = new Array(smallest)
      this.#head = 0
    }
    return item
  }

  /** Only when there is an item. */
  replaceLast(f: (item: A) => A): void {
    const last = (this.#head + this.size - 1) & (this.#items.length - 1)
    this.#items[last] = f(this.#items[last] as A)
  }

  /** Only when there is an item. */
  get first(): A {
    return this.#items[this.#head] as A
  }

  #resize(length: number): void {
    const items = new Array<A | undefined>(length)
    for (let i = 0; i < this.size; i++) items[i] = this.#items[(this.#head + i) & (this.#items.length - 1)]
    this.#items = items
    this.#head = 0
  }
}

// The size is a power of two: positions are masked.
const smallest = 16
const large = 4096
