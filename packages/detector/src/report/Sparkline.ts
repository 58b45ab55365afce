/** A curve of numbers as a line of block characters. */

const blocks = "▁▂▃▄▅▆▇█"

/**
 * Renders numbers as a line of at most `width` blocks. A block that stands for several numbers shows their mean. The lowest block is
 * the lowest value unless `from` is given; the highest block is the highest value unless `to` is given.
 *
 * **Example**
 *
 * ```ts
 * import { sparkline } from "@fiberscope/detector/Sparkline"
 *
 * console.log(sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8)) // ▁▂▃▄▅▆▇█
 * console.log(sparkline([5, 5, 5], 8)) // ▁▁▁
 * ```
 *
 * @category rendering
 */
export const sparkline = (values: ReadonlyArray<number>, width: number, from?: number, to?: number): string => {
  const cells = resample(values, width)
  if (cells.length === 0) return ""
  const low = from ?? Math.min(...cells)
  const span = (to ?? Math.max(...cells)) - low
  return cells.map((value) =>
    blocks[span <= 0 ? 0 : Math.min(7, Math.max(0, Math.floor((value - low) / span * 7.999)))]
  ).join("")
}

const resample = (values: ReadonlyArray<number>, width: number): ReadonlyArray<number> => {
  if (values.length <= width) return values
  return Array.from({ length: width }, (_, cell) => {
    const part = values.slice(Math.floor(cell * values.length / width), Math.floor((cell + 1) * values.length / width))
    return part.reduce((sum, value) => sum + value, 0) / part.length
  })
}
