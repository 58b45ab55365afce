import { assert, describe, it } from "@effect/vitest"
import { limits, makeSamplingInterval } from "../../src/agent/SamplingInterval.ts"

const MiB = 1024 * 1024

/** The changes of the interval for a program that allocates these bytes in each second. */
const changes = (perSecond: ReadonlyArray<number>): ReadonlyArray<readonly [second: number, bytes: number]> => {
  const interval = makeSamplingInterval()
  interval.next({ t: 0, allocated: 0, busy: 0 })
  return perSecond.flatMap((allocated, second) => {
    const bytes = interval.next({ t: (second + 1) * 1000, allocated, busy: 0 })
    return bytes === undefined ? [] : [[second + 1, bytes] as const]
  })
}

const steady = (bytes: number, seconds = 60) => Array.from({ length: seconds }, () => bytes)

describe("SamplingInterval", () => {
  it("stays the same while sampling is cheap and has enough samples", () => {
    for (const bytes of [0, 1000, 2 * MiB, 10 * MiB]) assert.deepStrictEqual(changes(steady(bytes)), [])
  })

  it("accepts a higher rate during the start of a program", () => {
    assert.deepStrictEqual(changes([40 * MiB, 30 * MiB, ...steady(4 * MiB)]), [])
    assert.deepStrictEqual(changes([40 * MiB, 30 * MiB, ...steady(60 * MiB)]), [[3, 32_768]])
  })

  it("gets longer at once when a program allocates very much, up to the longest interval", () => {
    assert.deepStrictEqual(changes(steady(400 * MiB)), [[1, 262_144]])
    assert.deepStrictEqual(changes(steady(4000 * MiB)), [[1, limits.largest]])
  })

  it("gets shorter when a program allocates much less than before, and stays when the gain would be small", () => {
    assert.deepStrictEqual(changes([400 * MiB, ...steady(4 * MiB)]), [[1, 262_144], [3, 4096]])
    assert.deepStrictEqual(changes([400 * MiB, ...steady(100 * MiB)]), [[1, 262_144]])
  })

  it("keeps the sample rate below its upper limit after each change", () => {
    for (let bytes = 1; bytes < 1e10; bytes *= 1.7) {
      const [last] = changes(steady(bytes)).slice(-1)
      const interval = last?.[1] ?? limits.smallest
      if (interval < limits.largest) assert.isAtMost(bytes / interval, limits.most, `${bytes} bytes a second`)
      if (interval > limits.smallest) assert.isAtLeast(bytes / interval, limits.least / 2, `${bytes} bytes a second`)
    }
  })

  it("waits longer before each change in a program that allocates in bursts", () => {
    const bursts = Array.from({ length: 400 }, (_, second) => second % 20 === 0 ? 800 * MiB : MiB)
    const changed = changes(bursts)
    assert.isAtMost(changed.length, 10)
    assert.isBelow(changed.at(-1)![0], 200)
  })

  it("takes fewer samples in a program that uses most of a core, because each costs more", () => {
    const interval = makeSamplingInterval()
    interval.next({ t: 0, allocated: 0, busy: 1 })
    assert.strictEqual(interval.next({ t: 3000, allocated: 1200 * MiB, busy: 0.9 }), limits.largest)
  })

  it("continues from an interval that was changed for another reason", () => {
    const interval = makeSamplingInterval()
    interval.next({ t: 0, allocated: 0, busy: 0 })
    interval.changed(256 * 1024)
    assert.strictEqual(interval.next({ t: 1000, allocated: 100 * MiB, busy: 0 }), undefined)
  })

  it("waits for the end of a slice of time, unless its allocation already exceeds the limit", () => {
    const said = (allocated: number) => {
      const interval = makeSamplingInterval()
      return [0, 50, 200, 950].map((t) => interval.next({ t, allocated, busy: 0 }))
    }
    assert.deepStrictEqual(said(30 * MiB), [undefined, undefined, 262_144, undefined])
    assert.deepStrictEqual(said(15 * MiB), [undefined, undefined, undefined, undefined])
  })
})
