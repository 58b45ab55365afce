/** Sorts numbers by other numbers. */

const bits = 11
const size = 1 << bits

/**
 * Sorts keys, ascending, and their values with them. The other two arrays are at least as long, and their content is lost.
 *
 * A radix sort from the lowest digit on: D. E. Knuth, "The Art of Computer Programming" 3, section 5.2.5, algorithm R.
 */
export const sortByKey = (
  keys: Uint32Array,
  values: Uint32Array,
  otherKeys: Uint32Array,
  otherValues: Uint32Array
): void => {
  let highest = 0
  let isSorted = true
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!
    if (key >= highest) highest = key
    else isSorted = false
  }
  if (isSorted) return
  const digits = Math.ceil((32 - Math.clz32(highest)) / bits)
  // After an even number of passes the result is where it began.
  for (let pass = 0; pass < digits + digits % 2; pass++) {
    const [fromKeys, fromValues, toKeys, toValues] = pass % 2 === 0
      ? [keys, values, otherKeys, otherValues]
      : [otherKeys, otherValues, keys, values]
    takeDigit(pass * bits, keys.length, fromKeys, fromValues, toKeys, toValues)
  }
}

const takeDigit = (
  shift: number,
  length: number,
  fromKeys: Uint32Array,
  fromValues: Uint32Array,
  toKeys: Uint32Array,
  toValues: Uint32Array
): void => {
  const next = new Uint32Array(size)
  // The highest bits of a key have a pass of their own, which may be beyond them.
  const digitOf = (key: number): number => shift < 32 ? (key >>> shift) & (size - 1) : 0
  for (let i = 0; i < length; i++) next[digitOf(fromKeys[i]!)]!++
  for (let digit = 0, start = 0; digit < size; digit++) {
    const count = next[digit]!
    next[digit] = start
    start += count
  }
  for (let i = 0; i < length; i++) {
    const at = next[digitOf(fromKeys[i]!)]!++
    toKeys[at] = fromKeys[i]!
    toValues[at] = fromValues[i]!
  }
}
