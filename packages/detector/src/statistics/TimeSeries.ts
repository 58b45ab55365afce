/** The memory of a signal: a bounded series of points that halves its resolution when it is full. */

/** One reading: milliseconds of the recording, and a value in the unit of the signal. */
export interface Point {
  readonly t: number
  readonly value: number
}

/**
 * A bounded series. When `capacity` points are kept, pairs are merged, and from then on twice as many readings make one point; so a
 * series covers any time with at least `capacity / 2` points, and never loses its beginning.
 */
export interface TimeSeries {
  readonly add: (t: number, value: number) => void
  readonly points: () => ReadonlyArray<Point>
}

/**
 * Makes an empty series. `merge` says what one point for two is: the lower for floors, their mean otherwise.
 *
 * **Example**
 *
 * ```ts
 * import * as TimeSeries from "./TimeSeries.ts"
 *
 * const series = TimeSeries.make({ capacity: 4, merge: "mean" })
 * for (let t = 0; t < 8; t++) series.add(t * 1000, t)
 * console.log(series.points().map(({ value }) => value)) // [ 0.5, 2.5, 4.5, 6.5 ]
 * ```
 */
export const make = (options?: {
  /** Points that are kept. Default 600. */
  readonly capacity?: number | undefined
  readonly merge?: "mean" | "lowest" | undefined
  /** Milliseconds that are remembered. Default: all. */
  readonly windowMs?: number | undefined
}): TimeSeries => {
  const capacity = options?.capacity ?? 600
  const lowest = options?.merge === "lowest"
  let points: Array<Point & { readonly n: number }> = []
  let perPoint = 1
  const join = (a: Point & { readonly n: number }, b: Point & { readonly n: number }) => ({
    t: b.t,
    value: lowest ? Math.min(a.value, b.value) : (a.value * a.n + b.value * b.n) / (a.n + b.n),
    n: a.n + b.n
  })
  return {
    add: (t, value) => {
      if (!Number.isFinite(value)) return
      const last = points.at(-1)
      const point = { t, value, n: 1 }
      if (options?.windowMs !== undefined && points[0] !== undefined && points[0].t < t - options.windowMs) {
        points.shift()
      }
      if (last !== undefined && last.n < perPoint) points[points.length - 1] = join(last, point)
      else if (points.length < capacity) points.push(point)
      else {
        const halved: typeof points = []
        for (let i = 0; i + 1 < points.length; i += 2) halved.push(join(points[i]!, points[i + 1]!))
        // The last of an odd number waits for its other half: the new one.
        const odd = points.length % 2 === 1
        halved.push(odd ? join(last!, point) : point)
        points = halved
        perPoint *= 2
      }
    },
    points: () => points
  }
}
