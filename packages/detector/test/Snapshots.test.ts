import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Snapshot } from "../src/Snapshots.ts"
import { compare, render, Snapshots } from "../src/Snapshots.ts"
import { controls } from "./support/hostile.ts"

const task = Effect.fn("task")(function*() {
  return yield* Effect.never
})

const kept: Array<unknown> = []
function keepRows(): void {
  for (let i = 0; i < 20_000; i++) kept.push({ i, text: `row ${i}`, tags: [i, i + 1, i + 2] })
}

// it.live: the tests use real fibers, memory and collections of this process.
describe("Snapshots", () => {
  it.live("shows the tour of the documentation: +50 tasks, then -25", () =>
    Effect.gen(function*() {
      const snapshots = yield* Snapshots
      yield* snapshots.take("start")
      const tasks = []
      for (let i = 0; i < 50; i++) tasks.push(yield* Effect.forkChild(task(), { startImmediately: true }))
      yield* snapshots.take("after_creating_tasks")
      yield* Fiber.interruptAll(tasks.slice(0, 25))
      yield* snapshots.take("after_partial_cleanup")
      const first = yield* snapshots.compare("start", "after_creating_tasks")
      const second = yield* snapshots.compare("after_creating_tasks", "after_partial_cleanup")
      const change = ({ fibers: [growth] }: typeof first) => growth!.after.count - growth!.before.count
      assert.strictEqual(change(first), 50)
      assert.match(first.fibers[0]!.site, /^task \(/)
      assert.strictEqual(change(second), -25)
      yield* Fiber.interruptAll(tasks)
    }).pipe(Effect.provide(Snapshots.layer())))

  it.live("names the function whose objects remain, and reads the process", () =>
    Effect.gen(function*() {
      const snapshots = yield* Snapshots
      const before = yield* snapshots.take("before")
      keepRows()
      yield* snapshots.take("after")
      const [growth] = (yield* snapshots.compare("before", "after")).allocations
      assert.match(growth!.site, /^keepRows \(/)
      assert.isAbove(growth!.after.bytes - growth!.before.bytes, 1_000_000)
      assert.isAbove(before.readings.rss, before.readings.heapUsed)
      if (process.platform === "linux") assert.isAbove(before.readings.vms!, before.readings.rss)
    }).pipe(Effect.provide(Snapshots.layer())))

  it.live("counts the instances of the chosen classes", () =>
    Effect.gen(function*() {
      class Session {
        readonly opened = performance.now()
      }
      const program = Effect.gen(function*() {
        const snapshots = yield* Snapshots
        yield* snapshots.take("before")
        const sessions = Array.from({ length: 30 }, () => new Session())
        yield* snapshots.take("after")
        const [growth] = (yield* snapshots.compare("before", "after")).constructors
        assert.deepStrictEqual([growth!.site, growth!.after.count - growth!.before.count], ["Session", sessions.length])
      })
      yield* Effect.provide(program, Snapshots.layer({ constructors: [Session] }))
    }))

  it.live("keeps the newest labels, and lists them in the error for an unknown one", () =>
    Effect.gen(function*() {
      const snapshots = yield* Snapshots
      for (const label of ["a", "b", "c"]) yield* snapshots.take(label)
      const error = yield* Effect.flip(snapshots.compare("a", "c"))
      assert.strictEqual(error.message, "there is no snapshot \"a\"; the existing ones are: b, c")
    }).pipe(Effect.provide(Snapshots.layer({ keep: 2 }))))

  it("renders the readings and the top sites", () => {
    const snapshot = (label: string, live: number, kilobytes: number): Snapshot => ({
      label,
      readings: {
        heapUsed: kilobytes * 1024,
        rss: 80 * 1024 ** 2,
        vms: undefined,
        external: 0,
        arrayBuffers: 0,
        liveFibers: live
      },
      fibers: new Map([["task (src/app.ts:3)", { count: live, bytes: 0 }], ["main (src/app.ts:1)", {
        count: 1,
        bytes: 0
      }]]),
      constructors: new Map(),
      allocations: new Map([["load (src/load.ts:9:1)", { count: kilobytes / 32, bytes: kilobytes * 1024 }]]),
      pauseMs: 20
    })
    const lines = render(compare(snapshot("start", 2, 64), snapshot("end", 1202, 640))).replaceAll("\u202f", " ").split(
      "\n"
    )
    assert.deepStrictEqual(lines, [
      "start → end",
      "  live fibers           2 →      1 202  +1 200",
      "  heap              64 KB →     640 KB  +576 KB",
      "  rss             80.0 MB →    80.0 MB  +0 B",
      "fibers by fork site, top 1 of 1",
      "      +1 200  task (src/app.ts:3)",
      "memory by allocating function, top 1 of 1",
      "     +576 KB  load (src/load.ts:9:1)"
    ])
    const hostile = {
      ...snapshot("end\u001b[2J", 5, 64),
      fibers: new Map([["evil\n::error::x", { count: 9, bytes: 0 }]])
    }
    const text = render(compare(snapshot("start", 2, 64), hostile))
    assert.notMatch(text, controls)
    assert.include(text, "+9  evil\\n:\\:error::x\n")
  })
})
