/** Bounds of growing paths, on snapshots of a program with containers that fill, and with ones that grow without an end. */
import { beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import type { HeapPath } from "../../../src/agent/Protocol.ts"
import { compareSnapshots } from "../../../src/heap/compareSnapshots.ts"
import { pathBounds } from "../../../src/heap/effect/PathBounds.ts"
import { fixture } from "../../support/Fiberscope.ts"

const pathsOf = (kind: "bounded" | "unbounded") => {
  let paths: ReadonlyArray<HeapPath>
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), "fiberscope-heap-"))
    try {
      const files = [1, 2, 3].map((n) => join(folder, `${n}.heapsnapshot`))
      execFileSync(process.execPath, [fixture("heap/bounded.mjs"), kind, ...files])
      paths = (await Effect.runPromise(compareSnapshots(files, { bounds: pathBounds }))).paths
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }, 60_000)
  return (...edges: ReadonlyArray<string>): ReadonlyArray<HeapPath> =>
    paths.filter(({ steps }) => edges.every((name) => steps.some(({ edge }) => edge === name)))
}

describe("a path through a container that takes only so many", () => {
  const through = pathsOf("bounded")

  it.each([
    ["cache", 600, 2000],
    ["keyedCache", 600, 2001],
    ["scopedCache", 600, 2002],
    ["queue", 600, 5000],
    ["pool", 600, 3000],
    ["lru", 600, 1000],
    ["lruBySize", 1200, 10_000],
    ["fewCaches", 600, 1500]
  ])("has the bound of %s", (name, size, most) => {
    // The keys of a Map have a path of their own.
    const bounds = through(name).map(({ bound }) => bound)
    expect(bounds.length).toBeGreaterThan(0)
    expect(bounds).toEqual(bounds.map(() => ({ size, most })))
  })

  it.each(["map", "scope"])("has the bound of an RcMap where it leads through its %s", (name) => {
    const bounds = through("rcMap", name).map(({ bound }) => bound)
    expect(bounds.length).toBeGreaterThan(0)
    expect(bounds).toEqual(bounds.map(() => ({ size: 600, most: 4000 })))
  })

  it("has the bound of a queue of numbers, whose arrays become larger", () => {
    const found = through("queueOfNumbers")
    expect(found.length).toBeGreaterThan(0)
    expect(found.map(({ how }) => how)).toEqual(found.map(() => "larger"))
    expect(found.map(({ bound }) => bound)).toEqual(found.map(() => ({ size: 150_000, most: 500_000 })))
  })
})

describe("a path has no bound", () => {
  const through = pathsOf("unbounded")

  const grows = (edges: ReadonlyArray<string>, counts: ReadonlyArray<number>) => {
    const found = through(...edges)
    expect(found.map((path) => path.counts)).toContainEqual(counts)
    expect(found.map(({ bound }) => bound)).toEqual(found.map(() => undefined))
  }

  it.each(["plainMap", "unboundedCache", "unboundedQueue"])("where it leads through %s", (name) => {
    grows([name], [200, 400, 600])
  })

  it("where the bound is larger than memory", () => {
    grows(["hugeCache"], [200, 400, 600])
  })

  it.each(["cacheWithLeak", "cacheWithLeaks"])("where a list below an entry of %s grows", (name) => {
    grows([name, "events"], [200, 400, 600])
  })

  it("where an entry of a cache becomes larger", () => {
    expect(through("cacheOfArrays").map(({ bound, how }) => [how, bound])).toEqual([["larger", undefined]])
  })

  it("where the number of its containers grows", () => {
    grows(["slowCaches"], [400, 800, 1200])
  })

  it("where another container at the same path has none", () => {
    grows(["mixedCaches"], [400, 800, 1200])
  })

  it("where fibers wait for a semaphore, which has permits and no entries", () => {
    grows(["semaphore"], [200, 400, 600])
  })
})
