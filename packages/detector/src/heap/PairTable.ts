/**
 * Numbers by pairs of numbers. A Map would need one key for both, which V8 keeps as an object where it has more than 31 bits.
 *
 * Open addressing with linear probing: D. E. Knuth, "The Art of Computer Programming" 3, section 6.4, algorithm L.
 */
export class PairTable {
  #first = new Uint32Array(1 << 10)
  #second = new Uint32Array(1 << 10)
  /** The value and one more; 0 for an empty place. */
  #value = new Uint32Array(1 << 10)
  #size = 0

  /** The value of a pair, or -1. */
  get(first: number, second: number): number {
    return this.#value[this.#place(first, second)]! - 1
  }

  /** The value of a pair, which is this one if it had none. */
  getOrSet(first: number, second: number, value: number): number {
    const found = this.get(first, second)
    if (found >= 0) return found
    this.set(first, second, value)
    return value
  }

  /** Values are from 0 to 2³² - 2. */
  set(first: number, second: number, value: number): void {
    const at = this.#place(first, second)
    if (this.#value[at] === 0) this.#size++
    this.#first[at] = first
    this.#second[at] = second
    this.#value[at] = value + 1
    if (2 * this.#size > this.#value.length) this.#grow()
  }

  /** The place of a pair, or the empty one where it belongs. */
  #place(first: number, second: number): number {
    const [firsts, seconds, values] = [this.#first, this.#second, this.#value]
    const mask = values.length - 1
    let mixed = Math.imul(first, 0x9e37_79b1) ^ Math.imul(second, 0x85eb_ca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d)
    let at = (mixed ^ (mixed >>> 13)) & mask
    while (values[at] !== 0 && (firsts[at] !== first || seconds[at] !== second)) at = (at + 1) & mask
    return at
  }

  #grow(): void {
    const [firsts, seconds, values] = [this.#first, this.#second, this.#value]
    const length = 2 * values.length
    this.#first = new Uint32Array(length)
    this.#second = new Uint32Array(length)
    this.#value = new Uint32Array(length)
    this.#size = 0
    for (let at = 0; at < values.length; at++) {
      if (values[at] !== 0) this.set(firsts[at]!, seconds[at]!, values[at]! - 1)
    }
  }
}
