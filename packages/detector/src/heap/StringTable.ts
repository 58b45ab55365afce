/**
 * The strings of a heap snapshot, kept as the bytes of the file and decoded when they are asked for.
 *
 * Most strings of a snapshot are contents of the program's own strings, for which nothing asks. As bytes they take a quarter of the memory
 * and none of the time.
 */
import { refuse } from "./SnapshotLists.ts"
import type { Section } from "./SnapshotLists.ts"

/** The strings, by number. */
export interface StringTable {
  readonly size: number
  /** The string of this number, or the start of a very long one; empty for a number that does not exist. */
  readonly text: (index: number) => string
  /** The number of the first string that equals this one. */
  readonly find: (text: string) => number | undefined
}

const blockBits = 20
const blockBytes = 1 << blockBits
const most = 2 ** 32 - 1
const [quote, comma, openList, backslash, closeList] = [0x22, 0x2c, 0x5b, 0x5c, 0x5d]

/** Takes in a JSON list of strings. */
export class StringTableReader implements Section {
  /** The bytes of all strings, one after the other, without their quotes. */
  readonly #blocks: Array<Buffer> = []
  #bytes = 0
  /** The position at which each string starts. The last one ends where the bytes do. */
  #starts = new Uint32Array(1 << 14)
  #size = 0
  #state: "before list" | "first or ]" | "string" | "inside" | "escaped" | ", or ]" = "before list"

  take(bytes: Uint8Array, from: number): number {
    for (let i = from; i < bytes.length;) {
      if (this.#state === "inside") {
        i = this.#takeInside(bytes, i)
        continue
      }
      const byte = bytes[i++]!
      if (this.#state === "escaped") {
        this.#keep(byte)
        this.#state = "inside"
      } else if (byte > 0x20 && this.#takeOutside(byte)) return i
    }
    return -1
  }

  get size(): number {
    return this.#size
  }

  end(): StringTable {
    this.#start()
    return tableOf(this.#blocks, this.#starts.subarray(0, this.#size + 1))
  }

  /** Keeps bytes up to the end of the string, of the block, or of what has arrived. Answers where that is. */
  #takeInside(bytes: Uint8Array, from: number): number {
    const used = this.#bytes & (blockBytes - 1)
    if (used === 0) this.#addBlock()
    const block = this.#blocks.at(-1)!
    const end = Math.min(bytes.length, from + blockBytes - used)
    const shift = used - from
    let i = from
    let byte = 0
    for (; i < end; i++) {
      byte = bytes[i]!
      if (byte === quote || byte === backslash) break
      block[i + shift] = byte
    }
    this.#bytes += i - from
    if (i === end) return i
    if (byte === quote) {
      this.#size++
      this.#state = ", or ]"
    } else {
      this.#keep(byte)
      this.#state = "escaped"
    }
    return i + 1
  }

  /** Answers whether the list is over. */
  #takeOutside(byte: number): boolean {
    const expected = this.#state
    if (byte === quote && (expected === "string" || expected === "first or ]")) {
      this.#start()
      this.#state = "inside"
    } else if (byte === comma && expected === ", or ]") this.#state = "string"
    else if (byte === openList && expected === "before list") this.#state = "first or ]"
    else if (byte === closeList && (expected === ", or ]" || expected === "first or ]")) return true
    else throw refuse("the list of strings is damaged")
    return false
  }

  #start(): void {
    if (this.#bytes > most) throw refuse("it has more than 4 GB of strings")
    if (this.#size === this.#starts.length) {
      const more = new Uint32Array(2 * this.#starts.length)
      more.set(this.#starts)
      this.#starts = more
    }
    this.#starts[this.#size] = this.#bytes
  }

  #keep(byte: number): void {
    const used = this.#bytes & (blockBytes - 1)
    if (used === 0) this.#addBlock()
    this.#blocks.at(-1)![used] = byte
    this.#bytes++
  }

  #addBlock(): void {
    if (this.#blocks.length === this.#bytes / blockBytes) this.#blocks.push(Buffer.allocUnsafeSlow(blockBytes))
  }
}

/** Bytes of a string that are decoded. V8 writes 1024 characters of it. A damaged snapshot may have one long string for all of its nodes. */
const longestText = 1 << 14

/** Names of classes and fields are asked for again and again; contents of strings are long and asked for once. */
const longestKnown = 200
const mostKnown = 100_000

const tableOf = (blocks: ReadonlyArray<Buffer>, starts: Uint32Array): StringTable => {
  const size = starts.length - 1
  const known = new Map<number, string>()
  const numbers = new Map<string, number | undefined>()

  const decoded = (index: number): string => {
    const start = starts[index]!
    const raw = bytesOf(blocks, start, Math.min(starts[index + 1]!, start + longestText)).toString("utf8")
    return raw.includes("\\") ? unescaped(raw) : raw
  }
  const text = (index: number): string => {
    if (!(index < size)) return ""
    let string = known.get(index)
    if (string !== undefined) return string
    string = decoded(index)
    if (string.length <= longestKnown && known.size < mostKnown) known.set(index, string)
    return string
  }
  const isAt = (start: number, bytes: Buffer): boolean => {
    for (let i = 0; i < bytes.length; i++) {
      const at = start + i
      if (blocks[at >>> blockBits]![at & (blockBytes - 1)] !== bytes[i]) return false
    }
    return true
  }
  const search = (wanted: string): number | undefined => {
    const bytes = Buffer.from(wanted)
    const mayBeEscaped = /["\\]|[^ -~]/.test(wanted)
    for (let index = 0; index < size; index++) {
      const start = starts[index]!
      const length = starts[index + 1]! - start
      if (length === bytes.length && isAt(start, bytes)) return index
      // An escaped character has up to six bytes.
      if (mayBeEscaped && length >= wanted.length && length <= 6 * wanted.length && decoded(index) === wanted) {
        return index
      }
    }
    return undefined
  }
  const find = (wanted: string): number | undefined => {
    if (!numbers.has(wanted)) numbers.set(wanted, search(wanted))
    return numbers.get(wanted)
  }
  return { size, text, find }
}

const bytesOf = (blocks: ReadonlyArray<Buffer>, start: number, end: number): Buffer => {
  const first = start >>> blockBits
  const last = end >>> blockBits
  const from = start & (blockBytes - 1)
  if (first === last) return first < blocks.length ? blocks[first]!.subarray(from, end & (blockBytes - 1)) : empty
  return Buffer.concat(blocks.slice(first, last + 1).map((block, i) => i === 0 ? block.subarray(from) : block))
    .subarray(0, end - start)
}

const empty = Buffer.alloc(0)

const unescaped = (raw: string): string => {
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    return raw
  }
}
