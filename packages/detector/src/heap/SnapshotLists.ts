/** The values of a heap snapshot, read from bytes that arrive piece by piece: long lists of numbers, and any other JSON. */
import { SnapshotError } from "./SnapshotError.ts"

/** Part of a snapshot. */
export interface Section {
  /** Reads bytes from a position on. Answers where the part ended, or -1 when it goes on. */
  readonly take: (bytes: Uint8Array, from: number) => number
}

export const refuse = (why: string): SnapshotError => new SnapshotError({ message: why })

/** Rows of numbers in a flat list. */
export interface Rows {
  readonly fields: number
  /** Stores the first `count` numbers, which are whole rows. */
  readonly store: (numbers: Float64Array, count: number) => void
}

const [newline, quote, comma, minus, zero, nine] = [0x0a, 0x22, 0x2c, 0x2d, 0x30, 0x39]
const [openList, backslash, closeList, openObject, closeObject] = [0x5b, 0x5c, 0x5d, 0x7b, 0x7d]

/** Numbers that are parsed before they are stored. */
const block = 12_288

/** Numbers with so many digits are small integers of V8. */
const fewDigits = 9

/** A list of whole numbers. */
export class NumberList implements Section {
  readonly #rows: Rows
  readonly #block: Float64Array
  #count = 0
  #state: "before list" | "before value" | "after sign" | "inside" | "after value" = "before list"
  #isEmpty = true
  #number = 0
  #sign = 1

  constructor(rows: Rows) {
    this.#rows = rows
    this.#block = new Float64Array(block - block % rows.fields)
  }

  take(bytes: Uint8Array, from: number): number {
    for (let i = from; i < bytes.length;) {
      if (this.#state === "before value") {
        i = this.#takeMost(bytes, i)
        if (this.#count === this.#block.length) {
          this.#flush()
          continue
        }
      }
      const byte = bytes[i++]!
      if (byte >= zero && byte <= nine && this.#state !== "before list" && this.#state !== "after value") {
        this.#number = this.#number * 10 + (byte - zero)
        this.#state = "inside"
      } else if (this.#takeOther(byte)) {
        if (this.#count % this.#rows.fields !== 0) throw refuse("a row of numbers is not complete")
        this.#flush()
        return i
      }
    }
    return -1
  }

  /** Reads numbers of few digits, with a comma after each. Answers where something else starts, or where the block is full. */
  #takeMost(bytes: Uint8Array, from: number): number {
    const numbers = this.#block
    const full = numbers.length
    // The longest such number, a line end, its comma and the byte after that.
    const end = bytes.length - fewDigits - 3
    let count = this.#count
    let start = from
    while (start < end) {
      // A digit and no other byte becomes its value.
      let number = bytes[start]! ^ zero
      if (number > 9) break
      let i = start + 1
      let digit = bytes[i]! ^ zero
      for (; digit <= 9 && i < start + fewDigits; digit = bytes[++i]! ^ zero) {
        number = (Math.imul(number, 10) + digit) | 0
      }
      // Older versions of V8 end each row with a line.
      if (digit === (newline ^ zero)) digit = bytes[++i]! ^ zero
      if (digit !== (comma ^ zero)) break
      start = i + 1
      numbers[count++] = number
      if (count === full) break
    }
    this.#count = count
    if (start > from) this.#isEmpty = false
    return start
  }

  /** Reads a byte that is no digit of a number. Answers whether the list is over. */
  #takeOther(byte: number): boolean {
    const before = this.#state
    if (before === "before list") {
      if (byte === openList) this.#state = "before value"
      else if (byte > 0x20) throw damaged()
      return false
    }
    if (before === "inside") {
      this.#add()
      this.#state = "after value"
    }
    if (byte === comma && this.#state === "after value") this.#state = "before value"
    else if (byte === closeList && (this.#state === "after value" || (before === "before value" && this.#isEmpty))) {
      return true
    } else if (byte === minus && before === "before value") {
      this.#sign = -1
      this.#state = "after sign"
    } else if (byte > 0x20 || before === "after sign") throw damaged()
    return false
  }

  #add(): void {
    this.#block[this.#count++] = this.#sign * this.#number
    this.#isEmpty = false
    this.#number = 0
    this.#sign = 1
    if (this.#count === this.#block.length) this.#flush()
  }

  #flush(): void {
    this.#rows.store(this.#block, this.#count)
    this.#count = 0
  }
}

const damaged = (): SnapshotError => refuse("a list of numbers is damaged")

/** Any value. Its text is kept where a longest one is given. */
export class JsonValue implements Section {
  readonly #longest: number
  readonly #bytes: Array<Buffer> = []
  #length = 0
  #depth = 0
  #isInString = false
  #isEscaped = false
  #hasStarted = false

  constructor(longest: number = 0) {
    this.#longest = longest
  }

  get text(): string {
    return Buffer.concat(this.#bytes).toString("utf8")
  }

  take(bytes: Uint8Array, from: number): number {
    for (let i = from; i < bytes.length; i++) {
      const byte = bytes[i]!
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false
        else if (byte === backslash) this.#isEscaped = true
        else if (byte === quote) {
          this.#isInString = false
          if (this.#depth === 0) return this.#keep(bytes, from, i + 1)
        }
      } else if (this.#depth === 0 && this.#hasStarted && isAfterValue(byte)) return this.#keep(bytes, from, i)
      else if (byte === quote) this.#isInString = true
      else if (byte === openList || byte === openObject) this.#depth++
      else if ((byte === closeList || byte === closeObject) && --this.#depth <= 0) return this.#keep(bytes, from, i + 1)
      if (byte > 0x20) this.#hasStarted = true
    }
    this.#keep(bytes, from, bytes.length)
    return -1
  }

  #keep(bytes: Uint8Array, from: number, end: number): number {
    if (this.#longest === 0) return end
    this.#length += end - from
    if (this.#length > this.#longest) throw refuse("its header is too long")
    // The buffer of the bytes may be used again.
    this.#bytes.push(Buffer.from(bytes.subarray(from, end)))
    return end
  }
}

/** A number or a word ends where something else starts. */
const isAfterValue = (byte: number): boolean => byte === comma || byte === closeObject || byte <= 0x20
