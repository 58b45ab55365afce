import { assert, beforeEach, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, ManagedRuntime, Scheduler, Scope } from "effect"
import * as FiberCensus from "../src/FiberCensus.ts"
import type { FiberSite } from "../src/FiberSite.ts"

const census = FiberCensus.get()
const prototype = Object.getPrototypeOf(Effect.runFork(Effect.void))
census.adopt(prototype, "the test")

/** Runs a program and compares the counts of the census with those of the program. */
const seen = async (
  program: (ran: Effect.Effect<void>) => Promise<unknown>
): Promise<{ ran: number; started: number }> => {
  let ran = 0
  const before = census.counts().started
  await program(Effect.sync(() => void ran++))
  return { ran, started: census.counts().started - before }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

describe("FiberCensus", () => {
  beforeEach(settle)

  it("is a single instance in the process", async () => {
    const url = new URL("../src/FiberCensus.ts?again", import.meta.url).href
    const again: typeof FiberCensus = await import(url)
    assert.notStrictEqual(again.get, FiberCensus.get)
    assert.strictEqual(again.get(), census)
  })

  it("counts fibers forked in a burst", async () => {
    const { ran, started } = await seen((ran) =>
      Effect.runPromise(Effect.gen(function*() {
        yield* ran
        const fibers = []
        for (let i = 0; i < 10_000; i++) fibers.push(yield* Effect.forkChild(ran))
        yield* Fiber.awaitAll(fibers)
      }))
    )
    assert.strictEqual(ran, 10_001)
    assert.strictEqual(started, ran)
  })

  it("counts fibers that end at once, start immediately, are detached, or run from callbacks", async () => {
    const { ran, started } = await seen(async (ran) => {
      for (let i = 0; i < 100; i++) Effect.runSync(ran)
      await Effect.runPromise(Effect.gen(function*() {
        yield* ran
        for (let i = 0; i < 100; i++) yield* Effect.forkChild(ran, { startImmediately: true })
        for (let i = 0; i < 100; i++) yield* Effect.forkDetach(Effect.andThen(ran, Effect.yieldNow))
        yield* Effect.sleep(5)
      }))
      await new Promise<void>((resolve) =>
        setTimeout(() => {
          for (let i = 0; i < 100; i++) Effect.runFork(ran)
          Effect.runCallback(Effect.andThen(Effect.sleep(1), ran), { onExit: () => resolve() })
        }, 1)
      )
    })
    assert.strictEqual(ran, 402)
    assert.strictEqual(started, ran)
  })

  it("counts fibers with a known fork line as a part of their site", async () => {
    const forked = Effect.never
    const line = (name: string) => ({ name, stack: () => `at /app/src/open.ts:12:3`, parent: undefined })
    census.forkLines((effect) => effect === forked ? { ...line(""), parent: line(" (definition)") } : undefined)
    const open = Effect.fn("open")(function*(effect: Effect.Effect<never>) {
      return yield* Effect.forkDetach(effect)
    })
    const fibers = await Effect.runPromise(Effect.forEach([forked, Effect.andThen(Effect.void, Effect.never)], open))
    await settle()
    const of = (site: FiberSite | undefined) => site === undefined ? [] : [site.fork?.name, site.fork?.line]
    const sites = [...census.liveBySite().keys()].map((id) => census.sites.get(id))
    const [looked] = sites.filter(({ fork }) => fork?.file === "/app/src/open.ts")
    census.forkLines(undefined)
    await Effect.runPromise(Fiber.interruptAll(fibers))
    assert.deepStrictEqual(of(looked), ["", 12])
    assert.deepStrictEqual(of(sites.find(({ id }) => id === looked?.of))[0], "open")
  })

  it("counts fibers that are interrupted before they start", async () => {
    const { ran, started } = await seen((ran) =>
      Effect.runPromise(Effect.gen(function*() {
        for (let i = 0; i < 100; i++) yield* Fiber.interrupt(yield* Effect.forkChild(ran))
      }))
    )
    assert.strictEqual(ran, 0)
    assert.strictEqual(started, 101)
  })

  it("counts fibers under PreventSchedulerYield and under a custom scheduler", async () => {
    const own: Scheduler.Scheduler = {
      executionMode: "async",
      shouldYield: () => false,
      makeDispatcher: () => ({ scheduleTask: (task) => queueMicrotask(task), flush: () => {} })
    }
    const body = (ran: Effect.Effect<void>) =>
      Effect.gen(function*() {
        yield* ran
        const fibers = []
        for (let i = 0; i < 100; i++) fibers.push(yield* Effect.forkChild(Effect.andThen(ran, Effect.sleep(1))))
        yield* Fiber.awaitAll(fibers)
      })
    const prevented = await seen((ran) =>
      Effect.runPromise(Effect.provideService(body(ran), Scheduler.PreventSchedulerYield, true))
    )
    assert.deepStrictEqual(prevented, { ran: 101, started: 101 })
    const custom = await seen((ran) => Effect.runPromise(body(ran), { scheduler: own }))
    assert.deepStrictEqual(custom, { ran: 101, started: 101 })
  })

  it("counts fibers of sibling layers and of other runtimes", async () => {
    const { ran, started } = await seen(async (ran) => {
      const part = () =>
        Layer.effectDiscard(Effect.forkScoped(Effect.andThen(ran, Effect.never), { startImmediately: true }))
      const runtime = ManagedRuntime.make(Layer.mergeAll(part(), part()))
      await runtime.runPromise(ran)
      await runtime.dispose()
    })
    assert.strictEqual(ran, 3)
    assert.isAtLeast(started, 3)
    assert.strictEqual(census.counts().live, 0)
  })

  it("adds up: started = ended + live + abandoned", async () => {
    const scope = Scope.makeUnsafe()
    await Effect.runPromise(Effect.gen(function*() {
      for (let i = 0; i < 50; i++) yield* Effect.forkIn(Effect.never, scope)
      yield* Effect.yieldNow
      // A timer may fire before the scheduler's turn; fibers forked before this one start before it.
      yield* Effect.yieldNow
    }))
    const counts = census.counts()
    assert.strictEqual(counts.live, 50)
    assert.strictEqual(counts.started, counts.ended + counts.live + counts.abandoned)
    await Effect.runPromise(Scope.close(scope, Exit.void))
    assert.strictEqual(census.counts().live, 0)
  })

  it("names the site by the Effect.fn or span around the fork, and by the function that the fiber runs", async () => {
    const poll = Effect.fn("poll")(function*() {
      return yield* Effect.never
    })
    const handle = Effect.fn("handle")(function*() {
      return yield* Effect.forkDetach(poll())
    })
    const fibers = await Effect.runPromise(Effect.gen(function*() {
      const byFn = yield* handle()
      const bySpan = yield* Effect.withSpan(Effect.forkDetach(Effect.never), "checkout")
      const bare = yield* Effect.forkDetach(Effect.never)
      // A timer may fire before the scheduler's turn; fibers forked before this one start before it.
      yield* Effect.yieldNow
      return { byFn, bySpan, bare }
    }))
    const site = (fiber: Fiber.Fiber<unknown>): FiberSite => census.dump().find(({ id }) => id === fiber.id)!.site
    const named = site(fibers.byFn)
    assert.strictEqual(named.fork?.name, "handle")
    assert.strictEqual(named.runs?.name, "poll")
    assert.match(named.fork?.file ?? "", /FiberCensus\.test\.ts$/)
    assert.isNumber(named.fork?.line)
    assert.deepStrictEqual(named.chain.map(({ name }) => name), ["handle"])
    assert.strictEqual(site(fibers.bySpan).fork?.name, "checkout")
    assert.strictEqual(site(fibers.bare).id, 0)
    for (const fiber of Object.values(fibers)) fiber.interruptUnsafe()
  })

  it("gives one site to all calls of one function, and two to functions of one name", async () => {
    const makeWorker = (n: number) =>
      n === 1
        ? Effect.fn("worker")(function*() {
          return yield* Effect.never
        })
        : Effect.fn("worker")(function*() {
          return yield* Effect.never
        })
    const one = makeWorker(1)
    const two = makeWorker(2)
    const fibers = [one(), one(), two()].map((worker) => Effect.runFork(worker))
    const sites = census.dump().filter(({ id }) => fibers.some((fiber) => fiber.id === id)).map(({ site }) => site.id)
    assert.strictEqual(sites.length, 3)
    assert.strictEqual(new Set(sites).size, 2)
    fibers.forEach((fiber) => fiber.interruptUnsafe())
  })

  it("gives one site to spans that differ by the id of a request, once there are many, and keeps numbered workers apart", async () => {
    const id = (n: number) => `3fa85f64-5717-4562-b3fc-${String(n).padStart(12, "0")}`
    const names = [
      ...Array.from({ length: 100 }, (_, n) => `order ${n}`),
      ...Array.from({ length: 100 }, (_, n) => `basket/${id(n)}/pay`),
      ...Array.from({ length: 4 }, (_, n) => `worker-${n}`)
    ]
    const forked = await Effect.runPromise(Effect.gen(function*() {
      const all = yield* Effect.forEach(names, (name) => Effect.withSpan(Effect.forkDetach(Effect.never), name))
      yield* Effect.yieldNow
      return all
    }))
    const ids = new Set(forked.map((fiber) => fiber.id))
    const sites = new Map(census.dump().filter(({ id }) => ids.has(id)).map(({ site }) => [site.id, site.fork!]))
    assert.strictEqual(sites.size, 17 + 17 + 4)
    const named = [...sites.values()]
    assert.includeMembers(named.map(({ name }) => name), ["order 0", "order #", "basket/#/pay", "worker-3"])
    assert.match(named.find(({ name }) => name === "order #")!.file!, /FiberCensus\.test\.ts$/)
    for (const fiber of forked) fiber.interruptUnsafe()
  })

  it("reports the flow of tenured fibers by the second of their birth", async () => {
    census.flow()
    const fibers = Array.from({ length: 5000 }, () => Effect.runFork(Effect.never)) // more than the nursery holds
    const born = census.flow()
    assert.isAbove(born.reduce((sum, { tenured }) => sum + tenured, 0), 800)
    fibers.forEach((fiber) => fiber.interruptUnsafe())
    const gone = census.flow()
    assert.strictEqual(
      gone.reduce((sum, { ended }) => sum + ended, 0),
      born.reduce((sum, { tenured }) => sum + tenured, 0)
    )
    assert.deepStrictEqual(census.flow(), [])
  })

  it("rejects a prototype that it does not understand", () => {
    assert.isUndefined(census.adopt({}, "nowhere"))
    assert.isUndefined(census.adopt(undefined, "nowhere"))
  })

  it("stops when the last adoption is reverted", () => {
    const before = census.counts().started
    const release = census.adopt(prototype, "again")!
    assert.strictEqual(census.copies.length, 1)
    release()
    release()
    Effect.runSync(Effect.sync(() => {}))
    assert.strictEqual(census.counts().started, before + 1)
  })
})
