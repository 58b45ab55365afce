/** The canary: what `FiberRuntime.ts` believes about the private side of this version of Effect. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import * as FiberRuntime from "../../src/internal/FiberRuntime.ts"

const prototype = FiberRuntime.prototypeOf(Effect.runFork(Effect.void))!

const watch = () => {
  const log: Array<string> = []
  const stop = FiberRuntime.watch(prototype, {
    starting: () => log.push("starting"),
    started: (fiber) => log.push(FiberRuntime.hasEnded(fiber) ? "started and ended" : "started"),
    ended: () => log.push("ended")
  })
  return { log, stop }
}

const watched = (body: (log: Array<string>) => void): void => {
  const { log, stop } = watch()
  try {
    body(log)
  } finally {
    stop()
  }
}

describe("FiberRuntime", () => {
  it("knows the shape of a fiber", () => {
    const fiber = Effect.runFork(Effect.never) as unknown as FiberRuntime.RuntimeFiber
    for (
      const field of [
        "id",
        "interruptible",
        "currentOpCount",
        "cache",
        "_exit",
        "_asyncContext",
        "_running",
        "_parent",
        "_stack"
      ]
    ) {
      assert.property(fiber, field)
    }
    assert.property(fiber.cache, "stackFrame")
    assert.property(fiber.cache, "span")
    assert.isFalse(FiberRuntime.hasEnded(fiber))
    assert.isFalse(FiberRuntime.isInterrupting(fiber))
    ;(fiber as unknown as Fiber.Fiber<never>).interruptUnsafe()
    assert.isTrue(FiberRuntime.hasEnded(fiber))
  })

  it("finds the running fiber in the global slot", () => {
    let seen: unknown
    const fiber = Effect.runFork(Effect.sync(() => {
      seen = (globalThis as Record<string, unknown>)[FiberRuntime.currentFiberSlot]
    }))
    assert.strictEqual(seen, fiber)
  })

  it("tells one start of a fiber that ends at once", () => {
    watched((log) => {
      Effect.runSync(Effect.sync(() => {}))
      assert.deepStrictEqual(log, ["starting", "started and ended"])
    })
  })

  it("tells one start and the end of a fiber that is suspended many times", async () => {
    const { log, stop } = watch()
    await Effect.runPromise(Effect.repeat(Effect.yieldNow, { times: 5 }))
    stop()
    assert.deepStrictEqual(log, ["starting", "started", "ended"])
  })

  it("tells the start and the end of a fiber that is interrupted before it ran", () => {
    watched((log) => {
      Effect.runSync(Effect.gen(function*() {
        const fiber = yield* Effect.forkDetach(Effect.never)
        fiber.interruptUnsafe()
      }))
      assert.strictEqual(log.filter((line) => line === "starting").length, 2)
      assert.strictEqual(log.filter((line) => line === "started and ended").length, 2)
    })
  })

  it("tells the start of a fiber whose observer throws, and lets the error through", () => {
    watched((log) => {
      const parent = Effect.runFork(Effect.never)
      const child = Effect.sync(() => {
        const self = (globalThis as Record<string, unknown>)[FiberRuntime.currentFiberSlot] as Fiber.Fiber<void>
        self.addObserver(() => {
          throw new Error("from an observer")
        })
      })
      assert.throws(() => Effect.runFork(child), "from an observer")
      assert.deepStrictEqual(log, ["starting", "started", "starting", "started and ended"])
      parent.interruptUnsafe()
    })
    watched((log) => {
      const latch = Deferred.makeUnsafe<void>()
      const fiber = Effect.runFork(Deferred.await(latch))
      fiber.addObserver(() => {
        throw new Error("from an observer")
      })
      assert.throws(() => Deferred.doneUnsafe(latch, Effect.void), "from an observer")
      assert.deepStrictEqual(log, ["starting", "started"])
    })
  })

  it("is a plain call again after it stopped, also under somebody else's wrapper", () => {
    const original = prototype.evaluate
    const log: Array<string> = []
    const stop = FiberRuntime.watch(prototype, { starting: () => log.push("x"), started: () => {}, ended: () => {} })
    const ours = prototype.evaluate
    const theirs = function(this: FiberRuntime.RuntimeFiber, effect: unknown): void {
      return ours.call(this, effect)
    }
    prototype.evaluate = theirs
    stop()
    assert.strictEqual(prototype.evaluate, theirs)
    Effect.runSync(Effect.sync(() => {}))
    assert.deepStrictEqual(log, [])
    prototype.evaluate = original
  })

  it("refuses what is not a fiber of this runtime", () => {
    class Foreign {
      evaluate() {}
    }
    assert.isFalse(FiberRuntime.isFiberPrototype(Foreign.prototype))
    assert.isFalse(FiberRuntime.isFiberPrototype(undefined))
    assert.isUndefined(FiberRuntime.prototypeOf({}))
    assert.isUndefined(FiberRuntime.prototypeOf("fiber"))
  })
})
