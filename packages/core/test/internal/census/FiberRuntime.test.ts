/** The canary: the assumptions of `FiberRuntime.ts` about the private fields of this version of Effect. */
import { afterEach, assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import * as FiberRuntime from "../../../src/internal/census/FiberRuntime.ts"
import { makeGuard } from "../../../src/internal/census/Guard.ts"

const prototype = FiberRuntime.prototypeOf(Effect.runFork(Effect.void))!

const failures: Array<string> = []
const noFailure = makeGuard((name, message) => failures.push(`${name}: ${message}`))
afterEach(() => assert.deepStrictEqual(failures, []))

const watch = () => {
  const log: Array<string> = []
  const stop = FiberRuntime.watch(prototype, {
    confirmed: (missing) => assert.deepStrictEqual(missing, []),
    refused: (why) => assert.fail(why),
    starting: () => log.push("starting"),
    started: (fiber) => log.push(FiberRuntime.hasEnded(fiber) ? "started and ended" : "started"),
    ended: () => log.push("ended")
  }, noFailure)
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
    assert.deepStrictEqual(FiberRuntime.shapeOf(fiber), { missing: [] })
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

  it("reports one start of a fiber that ends immediately", () => {
    watched((log) => {
      Effect.runSync(Effect.sync(() => {}))
      assert.deepStrictEqual(log, ["starting", "started and ended"])
    })
  })

  it("reports one start and one end of a fiber that is suspended many times", async () => {
    const { log, stop } = watch()
    await Effect.runPromise(Effect.repeat(Effect.yieldNow, { times: 5 }))
    stop()
    assert.deepStrictEqual(log, ["starting", "started", "ended"])
  })

  it("reports the start and the end of a fiber that is interrupted before it ran", () => {
    watched((log) => {
      Effect.runSync(Effect.gen(function*() {
        const fiber = yield* Effect.forkDetach(Effect.never)
        fiber.interruptUnsafe()
      }))
      assert.strictEqual(log.filter((line) => line === "starting").length, 2)
      assert.strictEqual(log.filter((line) => line === "started and ended").length, 2)
    })
  })

  it("reports the start of a fiber whose observer throws, and passes the error through", () => {
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

  it("is a plain call again after it stopped, also under a wrapper of other code", () => {
    const original = prototype.evaluate
    const log: Array<string> = []
    const stop = FiberRuntime.watch(prototype, {
      confirmed: () => {},
      refused: () => {},
      starting: () => log.push("x"),
      started: () => {},
      ended: () => {}
    }, noFailure)
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

  describe("shapeOf", () => {
    const living = () => Effect.runFork(Effect.withSpan(Effect.never, "a span")) as unknown as Record<string, unknown>
    const older = (): Record<string, unknown> => {
      const { cache, ...fields } = living()
      const { span, stackFrame } = cache as FiberRuntime.FiberCache
      return { ...fields, currentSpan: span, currentStackFrame: stackFrame }
    }

    it("reads a fiber from before 4.0.0-rc.113, which has no cache", () => {
      const fiber = older()
      assert.deepStrictEqual(FiberRuntime.shapeOf(fiber), { missing: [] })
      const frames = FiberRuntime.framesOf(fiber as unknown as FiberRuntime.RuntimeFiber)
      assert.strictEqual(frames.span?.name, "a span")
    })

    it.each(["id", "currentOpCount", "_exit"])("rejects a fiber without %s, or with one of another type", (name) => {
      for (const fiber of [living(), older()]) {
        const { [name]: _, ...without } = fiber
        const getter = Object.defineProperty({ ...without }, name, { get: () => assert.fail("a getter was called") })
        for (const misfit of [without, { ...fiber, [name]: "text" }, { ...fiber, [name]: Symbol() }, getter]) {
          const shape = FiberRuntime.shapeOf(misfit)
          assert.include("refused" in shape ? shape.refused : "", name)
        }
      }
    })

    it("rejects a fiber whose frames cannot be read", () => {
      const { cache: _, ...without } = living()
      const frame = { name: "f", stack: "not a function", parent: undefined }
      const caches = [undefined, null, "text", [], { stackFrame: frame, span: undefined }, { span: undefined }]
      for (const misfit of [without, ...caches.map((cache) => ({ ...without, cache }))]) {
        assert.property(FiberRuntime.shapeOf(misfit), "refused")
      }
      assert.property(FiberRuntime.shapeOf({ ...older(), currentSpan: 1 }), "refused")
    })

    it.each(["_parent", "_running", "_stack", "_interruptedCause", "interruptible"])(
      "accepts a fiber without %s, and names it as missing",
      (name) => {
        const { [name]: _, ...without } = living()
        for (const fiber of [without, { ...without, [name]: 7 }]) {
          assert.deepStrictEqual(FiberRuntime.shapeOf(fiber), { missing: [name] })
        }
      }
    )

    it("rejects a value that is not an object", () => {
      for (const value of [undefined, null, 1, "fiber", () => {}]) {
        assert.property(FiberRuntime.shapeOf(value), "refused")
      }
    })
  })

  it("is confirmed by the first fiber, and rejects a copy with unreadable fibers, which continues to run", () => {
    class Renamed {
      opCount = 0
      id = 1
      ran: Array<unknown> = []
      evaluate(effect: unknown) {
        this.ran.push(effect)
      }
      runLoop() {}
      getCont() {}
      setContext() {}
    }
    const original = Renamed.prototype.evaluate
    const log: Array<string> = []
    FiberRuntime.watch(Renamed.prototype as unknown as FiberRuntime.FiberPrototype, {
      confirmed: () => log.push("confirmed"),
      refused: (why) => log.push(why),
      starting: () => log.push("starting"),
      started: () => log.push("started"),
      ended: () => log.push("ended")
    }, noFailure)
    const fiber = new Renamed()
    fiber.evaluate("first")
    fiber.evaluate("second")
    assert.deepStrictEqual(fiber.ran, ["first", "second"])
    assert.deepStrictEqual(log, ["fibers have no `currentOpCount` of the type that was expected"])
    assert.strictEqual(Renamed.prototype.evaluate, original)
  })

  it("contains a failure of the watcher, and reports it once", () => {
    const failures: Array<string> = []
    const fail = () => {
      throw new Error("ours")
    }
    const guard = makeGuard((name, message) => failures.push(`${name}: ${message}`))
    for (const broken of ["confirmed", "starting", "started", "ended"] as const) {
      const watcher = { confirmed() {}, refused() {}, starting() {}, started() {}, ended() {}, [broken]: fail }
      const stop = FiberRuntime.watch(prototype, watcher, guard)
      assert.strictEqual(Effect.runSync(Effect.sync(() => 1)), 1)
      const latch = Deferred.makeUnsafe<number>()
      const fiber = Effect.runFork(Deferred.await(latch))
      Deferred.doneUnsafe(latch, Effect.succeed(2))
      assert.isDefined(fiber.pollUnsafe())
      stop()
    }
    assert.deepStrictEqual(failures, ["fibers: Error: ours"])
  })

  it("rejects a value that is not a fiber of this runtime", () => {
    class Foreign {
      evaluate() {}
    }
    assert.isFalse(FiberRuntime.isFiberPrototype(Foreign.prototype))
    assert.isFalse(FiberRuntime.isFiberPrototype(undefined))
    assert.isUndefined(FiberRuntime.prototypeOf({}))
    assert.isUndefined(FiberRuntime.prototypeOf("fiber"))
  })
})
