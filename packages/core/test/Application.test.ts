import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { createServer } from "node:net"
import * as Application from "../src/Application.ts"
import { GracefulShutdown } from "../src/GracefulShutdown.ts"
import { instrument } from "../src/internal/instruments.ts"
import { everything, Orders } from "./support/everything.ts"

class Service extends Context.Service<Service, { readonly use: Effect.Effect<void> }>()("Service") {}

/** A service that acquires one thing of every kind and releases all of them. */
const healthy = Layer.effect(
  Service,
  Effect.gen(function*() {
    const shutdown = yield* GracefulShutdown
    yield* shutdown.phase("service", Effect.void)
    yield* Effect.forkScoped(Effect.forever(Effect.sleep("10 seconds")))
    yield* instrument({ module: "example", name: "healthy", gauges: { leases: () => 1 } })
    yield* Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const server = createServer().listen(0, () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
    )
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const listener = () => {}
        process.on("SIGUSR2", listener)
        return listener
      }),
      (listener) => Effect.sync(() => process.off("SIGUSR2", listener))
    )
    return { use: Effect.sleep(1) }
  })
)

const leaky = (make: Effect.Effect<unknown>) => Layer.merge(healthy, Layer.effectDiscard(make))

const wait = Effect.fn("forgotten")(function*() {
  return yield* Effect.never
})

/** The remaining things after the first judged cycle. */
const left = <E, R>(layer: Layer.Layer<Service, E, R>, options?: { readonly cycles?: number }) =>
  Effect.map(
    Effect.flip(Application.run(layer, { cycles: 3, settle: 100, ...options })),
    (error): ReadonlyArray<unknown> => error instanceof Application.NotAtRest ? [error.cycle, ...error.left] : [error]
  )

// it.live: handles close and garbage is collected in real time.
describe("Application.run", () => {
  it.live("boots, works, stops, and is at rest", () =>
    Effect.gen(function*() {
      let worked = 0
      const report = yield* Application.run(healthy, {
        cycles: 5,
        warmUp: 2,
        work: Effect.flatMap(Service, ({ use }) => Effect.andThen(use, Effect.sync(() => worked++)))
      })
      assert.deepStrictEqual([worked, report], [7, { cycles: 5, heap: undefined }])
    }))

  it.live("reports a live fiber and its site", () =>
    Effect.gen(function*() {
      const found = yield* left(leaky(Effect.forkDetach(wait(), { startImmediately: true })))
      assert.lengthOf(found, 2)
      assert.match(String(found[1]), /^live fiber #\d+: forgotten \(.*Application\.test\.ts:\d+\)/)
    }))

  it.live("reports a listener, a handle, and a lease that is not returned", () =>
    Effect.gen(function*() {
      const listener = Effect.sync(() => void process.on("SIGUSR2", () => {}))
      assert.deepStrictEqual(yield* left(leaky(listener)), [1, "1 × listener of process for \"SIGUSR2\""])
      process.removeAllListeners("SIGUSR2")

      const open: Array<ReturnType<typeof createServer>> = []
      const handle = Effect.sync(() => void open.push(createServer().listen(0)))
      assert.deepStrictEqual(yield* left(leaky(handle)), [1, "1 × open handle TCPServerWrap"])
      for (const server of open) server.close()

      let count = 0
      const lease = Effect.suspend(() =>
        Scope.provide(
          instrument({ module: "example", name: `lease ${count++}`, gauges: { leases: () => 1 } }),
          Scope.makeUnsafe()
        )
      )
      assert.deepStrictEqual(yield* left(leaky(lease)), [
        1,
        "1 × series of metrics fiberscope_example_leases{name=\"lease 1\"}",
        "1 × gauge fiberscope_example_leases{name=\"lease 1\"}"
      ])
    }))

  it.live("reports memory retained by each cycle, but not a full cache", () =>
    Effect.gen(function*() {
      const kept: Array<unknown> = []
      const grows = Effect.sync(() => void kept.push(new Array(4000).fill(kept.length)))
      const found = yield* left(leaky(grows), { cycles: 20 })
      assert.match(String(found[1]), /^the heap grows by 3\d{4} bytes in each cycle, from /)

      const cache: Array<unknown> = []
      const fills = Effect.sync(() => void (cache.length < 8 && cache.push(new Array(40_000).fill(cache.length))))
      const { heap } = yield* Application.run(leaky(fills), { cycles: 20 })
      assert.isFalse(heap?.grows)
    }), 60_000)

  it.live("does not report things that are made only once", () =>
    Effect.gen(function*() {
      let once: (() => void) | undefined
      const lazy = Effect.sync(() => {
        if (once === undefined) process.on("SIGUSR2", once = () => {})
      })
      yield* Application.run(leaky(lazy), { cycles: 2, settle: 100 })
      process.off("SIGUSR2", once!)
    }))

  it.live("waits for things that are slow to end", () =>
    Application.run(leaky(Effect.forkDetach(Effect.sleep("200 millis"))), { cycles: 2, settle: "10 seconds" }))

  it.live("fails when the service does not stop in order", () =>
    Effect.gen(function*() {
      const stubborn = Layer.effectDiscard(Effect.gen(function*() {
        const shutdown = yield* GracefulShutdown
        yield* shutdown.phase("stubborn", Effect.never, { timeout: 10 })
        yield* Effect.forkScoped(Effect.scoped(Effect.andThen(shutdown.holdOpen("film"), Effect.never)), {
          startImmediately: true
        })
      }))
      const error = yield* Effect.flip(Application.run(stubborn, { cycles: 1, deadline: 100 }))
      assert.strictEqual(
        error.message,
        "The service did not stop in order in cycle 0:\n  \"stubborn\" timedOut\n  \"film\" held it open"
      )
    }))

  it.live("fails with the failure of the layer or the work, and closes the layer", () =>
    Effect.gen(function*() {
      let open = 0
      const counted = Layer.effectDiscard(
        Effect.acquireRelease(Effect.sync(() => open++), () => Effect.sync(() => open--))
      )
      assert.strictEqual(yield* Effect.flip(Application.run(counted, { work: Effect.fail("work") })), "work")
      const broken = Layer.provideMerge(Layer.effectDiscard(Effect.fail("boot")), counted)
      assert.strictEqual(yield* Effect.flip(Application.run(broken)), "boot")
      const exit = yield* Effect.exit(Effect.timeout(Application.run(counted, { work: Effect.never }), 20))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(open, 0)
    }))
})

/** `npm run test:slow` takes its time. */
const cycles = process.env["FIBERSCOPE_SLOW"] === undefined ? 10 : 1000

describe("a service of every module", () => {
  it.live(`loses no order and is at rest after each of ${cycles} cycles`, () =>
    Effect.gen(function*() {
      let lives = 0
      const orders = 8
      const work = Effect.gen(function*() {
        const { place, seen, written } = yield* Orders
        assert.strictEqual(yield* place(orders), orders)
        // Accepted orders are written in the phases of the shutdown: check them when all phases are over.
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            lives++
            const all = Array.from({ length: orders }, (_, i) => i)
            assert.deepStrictEqual([[...written].sort(), [...seen].sort()], [all, all])
          })
        )
      })
      const report = yield* Application.run(everything, { cycles, work, settle: "10 seconds" })
      assert.strictEqual(lives, cycles + 1)
      assert.notStrictEqual(report.heap?.grows, true)
      yield* Effect.logInfo(`${cycles} lives: ${Math.round(report.heap?.bytesPerCycle ?? 0)} bytes each`)
    }), 1_200_000)
})
