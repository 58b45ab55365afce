/**
 * Numbers for stacks, in an open hash table outside of the heap.
 *
 * A program has new stacks for as long as it runs. A map of their texts would be a slow leak of the tool on the program's heap, and
 * would be reported as one of the program. A stack is identified by 53 bits of hash: two of 20 000 stacks collide once in 45 million
 * runs.
 */
export interface StackIds {
  /** The number of the stack with these frame hashes, and whether it is new. Unknown stacks have number 0 when the table is full. */
  readonly of: (frames: ReadonlyArray<number>) => { readonly id: number; readonly isNew: boolean }
}

/** Makes a table with room for `most` stacks. */
export const makeStackIds = (most: number): StackIds => {
  const slots = 2 ** Math.ceil(Math.log2(most * 1.5))
  const keys = new Float64Array(slots)
  const ids = new Int32Array(slots)
  let size = 0
  return {
    of: (frames) => {
      let high = 0
      let low = frames.length
      for (const frame of frames) {
        high = mix(high ^ frame)
        low = mix(Math.imul(low, 31) + frame)
      }
      const key = (high >>> 0) * 0x20_0000 + (low >>> 11) + 1
      let slot = low & (slots - 1)
      while (keys[slot] !== 0) {
        if (keys[slot] === key) return { id: ids[slot]!, isNew: false }
        slot = (slot + 1) & (slots - 1)
      }
      if (size >= most) return { id: 0, isNew: false }
      keys[slot] = key
      ids[slot] = ++size
      return { id: size, isNew: true }
    }
  }
}

/** A hash of a text. The seed may be the hash of another text. */
export const hashOf = (text: string, seed = 0): number => {
  let hash = seed ^ text.length
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mix(hash)
}

/** The finalizer of MurmurHash3: each input bit changes half of the output bits. */
export const mix = (value: number): number => {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
