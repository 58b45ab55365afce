import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { FiberInfo } from "../src/LiveFibers.ts"
import { LiveFibers, render } from "../src/LiveFibers.ts"

setFlagsFromString("--expose-gc")
const gc: () => void = runInNewContext("gc")

const worker = Effect.fn("worker")(function*() {
  return yield* Effect.never
})

describe("LiveFibers", () => {
  // it.live: abandoned and tenured fibers depend on real time and real garbage collection.
  it.live("counts forked and ended fibers: +50, -25", () =>
    Effect.gen(function*() {
      const fibers = yield* LiveFibers
      const start = yield* fibers.count
      const tasks = []
      for (let i = 0; i < 50; i++) tasks.push(yield* Effect.forkChild(worker(), { startImmediately: true }))
      assert.strictEqual(yield* fibers.count, start + 50)
      yield* Fiber.interruptAll(tasks.slice(0, 25))
      assert.strictEqual(yield* fibers.count, start + 25)
      const [first] = yield* fibers.bySite
      assert.strictEqual(first?.live, 25)
      assert.strictEqual(first?.site.runs?.name, "worker")
    }).pipe(Effect.provide(LiveFibers.layer())))

  it.live("counts fibers that are collected without ending, and keeps none of them", () =>
    Effect.gen(function*() {
      const fibers = yield* LiveFibers
      const before = yield* fibers.abandoned
      for (let i = 0; i < 1000; i++) yield* Effect.forkDetach(Effect.withSpan(Effect.never, "dropped"))
      for (let i = 0; i < 50; i++) {
        yield* Effect.sleep(100)
        gc()
        if ((yield* fibers.abandoned) - before === 1000) break
      }
      assert.strictEqual((yield* fibers.abandoned) - before, 1000)
      const site = (yield* fibers.bySite).find(({ abandoned }) => abandoned === 1000)
      assert.isDefined(site)
    }).pipe(Effect.provide(LiveFibers.layer())), 20_000)

  it.live("streams tenured fibers and their ends", () =>
    Effect.gen(function*() {
      const fibers = yield* LiveFibers
      const events = yield* Effect.forkChild(Stream.runCollect(Stream.take(fibers.changes, 2)), {
        startImmediately: true
      })
      const target = yield* Effect.forkChild(worker(), { startImmediately: true })
      yield* Effect.sleep(2500)
      yield* Fiber.interrupt(target)
      const tags = (yield* Fiber.join(events)).map(({ _tag }) => _tag)
      assert.strictEqual(tags[0], "Tenured")
    }).pipe(Effect.provide(LiveFibers.layer())), 10_000)

  it("renders the dump as a tree, grouped by site", () => {
    const at = (name: string, line: number) => ({ name, file: `/app/src/${name}.ts`, line, column: 1 })
    const main = { id: 2, fork: at("main", 1), runs: undefined, chain: [] }
    const handler = { id: 3, fork: at("server", 42), runs: at("handler", 7), chain: [] }
    const unknownParent = { id: 4, fork: at("cron", 3), runs: undefined, chain: [] }
    const none = { id: 0, fork: undefined, runs: undefined, chain: [] }
    const fiber = (
      id: number,
      parent: number | undefined,
      site: FiberInfo["site"],
      ageMs: number,
      more?: Partial<FiberInfo>
    ): FiberInfo => ({
      id,
      copy: 1,
      parent,
      site,
      span: undefined,
      ageMs,
      status: "suspended",
      interruptible: true,
      interrupting: false,
      ...more
    })
    const dump = [
      fiber(1, undefined, main, 192_000),
      ...Array.from({ length: 1204 }, (_, i) => fiber(i + 10, 1, handler, i * 100, { interrupting: i < 3 })),
      fiber(5, 10, none, 5, { interruptible: false }),
      fiber(6, 99_999, unknownParent, 3_700_000, { status: "running" })
    ]
    assert.strictEqual(
      render(dump, { base: "/app" }).replaceAll("\u202f", " "),
      `1207 live fibers
├─ main (src/main.ts:1), 3 m 12 s [#1]
│  └─ server (src/server.ts:42) → handler (src/handler.ts:7) × 1 204, oldest 2 m 0 s [3 interrupting]
│     └─ (no Effect.fn or span), 5 ms [#5, uninterruptible]
└─ cron (src/cron.ts:3), 1 h 1 m [#6, running]`
    )
  })
})
