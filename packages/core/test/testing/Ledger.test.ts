import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { InjectedFailure, Ledger } from "../../src/testing/index.ts"
import type { Fault } from "../../src/testing/Point.ts"

const faulty = (fault: Fault) => new Ledger({ ops: 0, now: 0, fault })

describe("Ledger", () => {
  it("distinguishes leases of one name: a double release does not compensate for a leak", () => {
    const ledger = new Ledger()
    ledger.acquire("a")
    const second = ledger.acquire("a")
    ledger.release(second)
    ledger.release(second)
    assert.deepStrictEqual(ledger.problems(), ["a#1 was acquired and never released", "a#2 was released 2 times"])
  })

  it("reports a use after the release", () => {
    const ledger = new Ledger()
    const lease = ledger.acquire("a")
    ledger.use(lease)
    ledger.release(lease)
    assert.deepStrictEqual(ledger.problems(), [])
    ledger.use(lease)
    assert.deepStrictEqual(ledger.problems(), ["a#1 was used after its release"])
  })

  it("rejects the lease of another run", () => {
    const lease = new Ledger().acquire("a")
    assert.throws(() => new Ledger().release(lease), "Each run has a ledger of its own")
  })

  it("conserves items", () => {
    const ledger = new Ledger()
    for (const item of [1, 2, 3, 4, 5]) ledger.offered(item)
    ledger.delivered(1)
    ledger.dropped(2)
    ledger.remaining(3)
    ledger.delivered(4)
    ledger.delivered(4)
    ledger.remaining("x")
    assert.deepStrictEqual(ledger.problems(), [
      "item 4 was offered once, but it was delivered 2 times",
      "item 5 was offered and is lost",
      "item x was never offered, but it was remaining"
    ])
  })

  it("reports a violated `always` condition once", () => {
    const ledger = new Ledger()
    let open = 0
    ledger.always("at most one", () => open <= 1)
    ledger.check()
    assert.deepStrictEqual(ledger.problems(), [])
    open = 2
    ledger.check()
    ledger.check()
    assert.deepStrictEqual(ledger.problems(), ["\"at most one\" does not hold (before op 0)"])
    assert.isFalse(ledger.watching)
  })

  it.effect("opens and closes with a scope", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const scope = yield* Scope.make()
      const fork = Effect.forkChild(Scope.provide(ledger.resource("a", { opens: "1 second" }), scope))
      const fiber = yield* fork
      yield* TestClock.adjust("1 second")
      yield* Effect.yieldNow
      assert.deepStrictEqual(ledger.held.map(String), ["a#1"])
      assert.isDefined(fiber.pollUnsafe())
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(ledger.events.map(({ text }) => text), ["+ a#1", "- a#1"])
      assert.deepStrictEqual(ledger.counts, { acquired: 1, released: 1 })
    }))

  it.effect("makes an acquisition fail, as a failure or as a throw", () =>
    Effect.gen(function*() {
      const ledger = faulty({ kind: "failingAcquire", at: 2 })
      yield* ledger.open("a")
      const error = yield* Effect.flip(ledger.open("b"))
      assert.instanceOf(error, InjectedFailure)
      assert.deepStrictEqual(ledger.held.map(String), ["a#1"])
      assert.throws(() => faulty({ kind: "failingAcquire", at: 1 }).acquire("c"), "acquisition of c")
    }))

  it.effect("makes a release die after it has released", () =>
    Effect.gen(function*() {
      const ledger = faulty({ kind: "dyingRelease", at: 1 })
      const exit = yield* Effect.exit(Effect.flatMap(ledger.open("a"), (lease) => ledger.close(lease)))
      assert.isTrue(Exit.hasDies(exit))
      assert.deepStrictEqual(ledger.problems(), [])
    }))

  it.effect("makes a release take a second", () =>
    Effect.gen(function*() {
      const ledger = faulty({ kind: "slowRelease", at: 2 })
      const [first, second] = [ledger.acquire("a"), ledger.acquire("b")]
      yield* ledger.close(first)
      const fiber = yield* Effect.forkChild(ledger.close(second))
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(ledger.held.map(String), ["b#1"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(ledger.held, [])
      assert.isDefined(fiber)
    }))
})
