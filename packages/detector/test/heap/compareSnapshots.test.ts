/** Growth by path, on snapshots of a program with a container of each kind. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import type { HeapPath } from "../../src/agent/Protocol.ts"
import { compareSnapshots } from "../../src/heap/compareSnapshots.ts"
import type { Comparison } from "../../src/heap/compareSnapshots.ts"
import { resolveSteps } from "../../src/places/HeapPathPlaces.ts"
import { describePath } from "../../src/places/HeapPathText.ts"
import { fixture } from "../support/Fiberscope.ts"

/** Runs a program that writes three snapshots, and compares them. */
const compared = async (
  program: string,
  look: (files: ReadonlyArray<string>) => void = () => {}
): Promise<Comparison> => {
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-heap-"))
  try {
    const files = [1, 2, 3].map((n) => join(folder, `${n}.heapsnapshot`))
    execFileSync(process.execPath, [fixture(program), ...files])
    look(files)
    return await Effect.runPromise(compareSnapshots(files))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe("three snapshots of a process", { timeout: 60_000 }, () => {
  const modes: Array<number> = []
  let comparison: Comparison

  beforeAll(async () => {
    comparison = await compared("heap-growth.mjs", (files) => {
      for (const file of files) modes.push(statSync(file).mode & 0o777)
    })
  }, 60_000)

  const pathThrough = (...names: ReadonlyArray<string>): HeapPath => {
    const found = comparison.paths.find(({ steps }) => names.every((name) => steps.some(({ edge }) => edge === name)))
    assert.isDefined(found, `no path through ${names.join(", ")}`)
    return found!
  }

  it("are files that only their owner can read", () => {
    assert.deepStrictEqual(modes, [0o600, 0o600, 0o600])
  })

  it("show the members of a Map that keeps everything, by the name of its variable", () => {
    const path = pathThrough("pending")
    assert.deepStrictEqual(path.counts, [200, 400, 600])
    assert.deepStrictEqual(path.stayed, [200, 400])
    const steps = resolveSteps(path.steps, { resolve: (place) => place, declaration: () => undefined })
    const { keeper, member, names, scope } = describePath({ steps })
    assert.deepStrictEqual([keeper, member], ["pending", "Request"])
    assert.deepStrictEqual(names, ["pending", "Map", "Request"])
    assert.match(scope!.file!, /heap-growth\.mjs$/)
  })

  it("show listeners of an emitter, links of a chain, and values of a WeakMap", () => {
    assert.deepStrictEqual(pathThrough("bus", "_events", "config").counts, [200, 400, 600])
    const chain = pathThrough("lastFailure")
    assert.isAtLeast(chain.counts[2]! - chain.counts[0]!, 390)
    assert.strictEqual(chain.stayed[0], chain.counts[0])
    assert.isAtLeast(pathThrough("tenants").counts[2]!, 600)
  })

  it("show an array of numbers that becomes larger", () => {
    const path = pathThrough("readings")
    assert.strictEqual(path.how, "larger")
    assert.isAbove(path.bytes[2]! - path.bytes[0]!, 300_000)
  })

  it("tell a buffer that is emptied by its members, of which none stay", () => {
    const path = pathThrough("buffer")
    assert.deepStrictEqual(path.stayed, [0, 0])
  })

  it("show nothing of a container that does not grow", () => {
    assert.isUndefined(comparison.paths.find(({ steps }) => steps.some(({ edge }) => edge === "steady")))
  })

  it("tell no content of a string, and no key of a dictionary", () => {
    const text = JSON.stringify(comparison)
    assert.notInclude(text, "password")
    assert.notInclude(text, "customer")
    assert.include(text, "byToken")
  })
})

describe("three snapshots of a process that renews what keeps its objects", { timeout: 60_000 }, () => {
  it("show the objects that stay, and no numbers", async () => {
    const { paths } = await compared("heap/renewed.mjs")
    const path = paths.find(({ steps }) => steps.some(({ edge }) => edge === "attempts"))
    assert.strictEqual(path?.steps.at(-1)?.node, "Job")
    assert.deepStrictEqual(path?.stayed, [200, 400])
  })
})

describe("snapshots between which objects got new ids", { timeout: 60_000 }, () => {
  it("show what grew, and claim nothing about objects that stayed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fiberscope-heap-"))
    try {
      const files = [1, 2, 3].map((n) => join(folder, `${n}.heapsnapshot`))
      execFileSync(process.execPath, [fixture("heap-growth.mjs"), ...files], { env: { ...process.env, NEW_IDS: "1" } })
      const { paths } = await Effect.runPromise(compareSnapshots(files))
      const path = paths.find(({ steps }) => steps.at(-1)!.node === "Request")
      assert.deepStrictEqual(path!.counts, [200, 400, 600])
      assert.deepStrictEqual(path!.stayed, [])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
