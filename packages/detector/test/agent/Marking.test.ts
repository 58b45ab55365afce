import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { waitForWork } from "../../src/agent/Marking.ts"

/** Waits for threads that work these milliseconds of each slice. Answers whether they worked, and the time waited. */
const wait = (work: ReadonlyArray<number>, mostMs: number) => {
  let now = 0
  let slice = 0
  const worked = waitForWork(
    () => {
      now += 2
      return work[slice++] ?? 0
    },
    () => now,
    mostMs
  )
  return [worked, now]
}

describe("waitForWork", () => {
  it("waits until the threads are done, through short breaks", () => {
    assert.deepStrictEqual(wait([2, 2, 0, 0, 2], 50), [true, 16])
  })

  it("gives up early when no thread works, and at its limit when they keep working", () => {
    assert.deepStrictEqual(wait([], 50), [false, 10])
    assert.deepStrictEqual(wait(Array<number>(100).fill(2), 50), [true, 50])
  })
})

describe("makeMarking", () => {
  it("makes V8 mark before the next collection, and releases its memory", () => {
    const module = fileURLToPath(new URL("../../src/agent/Marking.ts", import.meta.url))
    const script = `
      import { makeMarking } from ${JSON.stringify(module)}
      globalThis.kept = Array.from({ length: 300_000 }, (_, i) => ({ i }))
      const before = process.memoryUsage()
      makeMarking().begin(50)
      const after = process.memoryUsage()
      globalThis.gc()
      console.log(JSON.stringify([after.external - before.external, after.rss - before.rss]))`
    const flags = ["--expose-gc", "--trace-gc", "--trace-incremental-marking", "--input-type=module"]
    const { stdout } = spawnSync(process.execPath, [...flags, "-e", script], { encoding: "utf8" })
    const [external, rss] = JSON.parse(/^\[-?\d+,-?\d+\]$/m.exec(stdout)![0]) as [number, number]
    assert.isBelow(Math.abs(external), 1024 * 1024)
    assert.isBelow(rss, 20 * 1024 * 1024)
    assert.match(stdout, /\[IncrementalMarking\] Start/)
  })
})
