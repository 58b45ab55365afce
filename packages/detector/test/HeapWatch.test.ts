/** Heap snapshots inside a program: the keeper of a finding, and no file afterwards, wherever it is interrupted. */
import { assert, describe, it } from "@effect/vitest"
import { InterruptLab } from "@fiberscope/core/testing"
import { Duration, Effect } from "effect"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import type { Request } from "../src/agent/Protocol.ts"
import { diagnose } from "../src/diagnosis/Diagnosis.ts"
import { watchHeap } from "../src/diagnosis/HeapWatch.ts"
import * as Observation from "../src/observation/Observation.ts"
import { alone, node } from "./support/Fiberscope.ts"
import { opening, tick } from "./support/simulate.ts"

describe("heap snapshots of LeakDetector.layer", { timeout: 60_000 }, () => {
  it("name what keeps the objects of a finding, and leave no file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fiberscope-watch-"))
    try {
      const { code, stderr, stdout } = await alone(node("watches-itself.mjs"), { env: { TMPDIR: folder } })
      assert.strictEqual(code, 0, stderr)
      const [found, files] = stdout.toString().trim().split("\n").map((line) => JSON.parse(line) as unknown)
      assert.deepStrictEqual(found, { keeper: "sessions", path: ["sessions", "Map", "Session"], gone: 0 })
      assert.deepStrictEqual(files, [])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  /** A detector with a suspicion, whose snapshots are empty files. */
  const suspicious = () => {
    const observation = Observation.make()
    for (const message of opening()) observation.take(message)
    observation.take(tick(1000))
    const suspicion = { rule: "test", what: "something", why: "it grows", wouldTake: "time" }
    const asked: Array<string> = []
    return {
      asked,
      detector: {
        observation,
        diagnose: () => ({ ...diagnose(observation), suspicions: [suspicion] }),
        take: observation.take,
        answer: (request: Request) => {
          if (request.type !== "takeHeapSnapshot") return
          asked.push(request.file)
          writeFileSync(request.file, "")
          observation.take({ type: "heapSnapshot", t: 1000, pauseMs: 1 })
        }
      }
    }
  }

  /** A folder for temporary files of this process, in which no other test has any. */
  const withFolder = <A, E>(use: (folder: string) => Effect.Effect<A, E>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const before = process.env["TMPDIR"]
        const folder = mkdtempSync(join(tmpdir(), "fiberscope-watch-"))
        process.env["TMPDIR"] = folder
        return { folder, before }
      }),
      ({ folder }) => use(folder),
      ({ before, folder }) =>
        Effect.sync(() => {
          if (before === undefined) delete process.env["TMPDIR"]
          else process.env["TMPDIR"] = before
          rmSync(folder, { recursive: true, force: true })
        })
    )

  it.effect("leave no file and no listener, wherever they are interrupted", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const listeners = process.listenerCount("exit")
        let most = 0
        yield* InterruptLab.verify(() =>
          Effect.suspend(() => {
            const { asked, detector } = suspicious()
            const watching = watchHeap(detector, Duration.seconds(1), { apart: "1 second" })
            return Effect.andThen(
              Effect.timeoutOption(watching, "2500 millis"),
              Effect.sync(() => {
                most = Math.max(most, asked.length)
              })
            )
          }), {
          invariant: () =>
            process.listenerCount("exit") > listeners ? "a listener remains" : readdirSync(folder).join()
              || undefined
        })
        assert.isAtLeast(most, 2)
      })
    ))

  it.live("are not taken of a larger heap than is allowed", () =>
    Effect.gen(function*() {
      const { asked, detector } = suspicious()
      const watching = watchHeap(detector, Duration.millis(1), { largestHeap: 2e7 - 1 })
      yield* Effect.timeoutOption(watching, "100 millis")
      assert.deepStrictEqual(asked, [])
    }))
})
