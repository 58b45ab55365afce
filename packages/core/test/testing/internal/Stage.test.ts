import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Clock, Context, Effect, Fiber, Random } from "effect"
import { baseContext, Lab } from "../../../src/testing/internal/Lab.ts"
import type { Outcome } from "../../../src/testing/internal/Lab.ts"
import type { Ledger } from "../../../src/testing/Ledger.ts"
import type { Plan } from "../../../src/testing/Point.ts"
import * as Script from "../../../src/testing/Script.ts"

const undisturbed: Plan = { driver: "virtual", points: [], order: { _tag: "Fifo" }, seed: 0, fault: undefined }

const lab = (make: (ledger: Ledger) => Effect.Effect<unknown, unknown>) =>
  new Lab({
    make,
    context: baseContext(Context.empty(), false),
    invariant: undefined,
    maxOps: 10_000,
    grace: 60_000,
    endless: undefined,
    deliveries: false,
    settle: 0
  })

const play = (make: (ledger: Ledger) => Effect.Effect<unknown, unknown>, plan: Partial<Plan> = {}): Outcome =>
  lab(make).play({ ...undisturbed, ...plan }, { record: true, operations: true }) as Outcome

/** Records each start and end of a yield, in any fiber. */
const noting = (script: Script.Script, note: (text: string) => void) => {
  let calls = 0
  return Script.toEffect(script, [(body) =>
    Effect.suspend(() => {
      const name = calls++
      note(`+${name}`)
      return Effect.andThen(Effect.yieldNow, Effect.ensuring(body, Effect.sync(() => note(`-${name}`))))
    })])
}

const withoutTime = (script: Script.Script): Script.Script =>
  script.flatMap((step): Script.Script => {
    switch (step.op) {
      case "sleep":
      case "timeout":
        return [{ op: "use", n: 0, body: [] }]
      case "use":
      case "attempt":
      case "mask":
      case "fork":
        return [{ ...step, body: withoutTime(step.body) }]
      case "race":
      case "both":
        return [{ ...step, left: withoutTime(step.left), right: withoutTime(step.right) }]
      default:
        return [step]
    }
  })

describe("Stage", () => {
  it.effect("runs tasks in the order of Effect's own scheduler", () =>
    Effect.gen(function*() {
      const scripts = yield* Arbitrary.sampleEffect(Arbitrary.schema(Script.Script), { count: 300, seed: 7 })
      let compared = 0
      for (const script of scripts.map(withoutTime)) {
        const real: Array<string> = []
        const virtual: Array<string> = []
        // A separate runtime: the test's fiber must not share its dispatcher.
        yield* Effect.promise(() => Effect.runPromiseExit(noting(script, (text) => real.push(text))))
        play(() => noting(script, (text) => virtual.push(text)))
        assert.deepStrictEqual(virtual, real, JSON.stringify(script))
        compared += real.length
      }
      assert.isAbove(compared, 500)
    }))

  it("runs tasks of one fiber by priority, and in the order of arrival", () => {
    const log: Array<string> = []
    const at = (name: string, priority: number) =>
      Effect.withFiber((fiber) =>
        Effect.sync(() => fiber.currentDispatcher.scheduleTask(() => log.push(name), priority))
      )
    for (let seed = 0; seed < 20; seed++) {
      log.length = 0
      play(() => Effect.all([at("low", 5), at("a", 0), at("b", 0), at("high", -1), Effect.yieldNow]), {
        order: { _tag: "Seed", seed }
      })
      assert.deepStrictEqual(log, ["high", "a", "b", "low"])
    }
  })

  it("runs flushed tasks of a dispatcher immediately", () => {
    const { ledger } = play((ledger) =>
      Effect.withFiber((fiber) => {
        fiber.currentDispatcher.scheduleTask(() => ledger.note("scheduled"), 0)
        fiber.currentDispatcher.flush()
        ledger.note("flushed")
        return Effect.void
      })
    )
    assert.deepStrictEqual(ledger.events.map(({ text }) => text), ["scheduled", "flushed"])
  })

  it("fires each timer at its time in any order, and those of one time in many", () => {
    const make = (ledger: Ledger) =>
      Effect.forEach(
        [3, 1, 2, 1, 2, 1],
        (ms, n) => Effect.andThen(Effect.sleep(ms), Effect.sync(() => ledger.note(`${n}`))),
        {
          concurrency: "unbounded"
        }
      )
    const orders = new Set<string>()
    for (let seed = 0; seed < 30; seed++) {
      const { events } = play(make, { order: { _tag: "Seed", seed } }).ledger
      for (const { ms, text } of events) assert.strictEqual(ms, [3, 1, 2, 1, 2, 1][Number(text)])
      orders.add(events.map(({ text }) => text).join(""))
    }
    assert.isAbove(orders.size, 5)
  })

  it("waits for the finalizers of the run's own scope", () => {
    const slowly = (ledger: Ledger) =>
      Effect.acquireRelease(ledger.open("a"), (lease) => Effect.andThen(Effect.yieldNow, ledger.close(lease)))
    assert.deepStrictEqual(play(slowly as never).problems, [])
  })

  it("picks the fiber whose turn it is by the seed, and repeats its choices", () => {
    const orders = new Set<string>()
    const make = (ledger: Ledger) =>
      Effect.forEach([1, 2, 3, 4], (n) => Effect.andThen(Effect.yieldNow, Effect.sync(() => ledger.note(`${n}`))), {
        concurrency: "unbounded"
      })
    const order = ({ ledger }: Outcome) => ledger.events.map(({ text }) => text).join("")
    assert.strictEqual(order(play(make)), "1234")
    for (let seed = 0; seed < 30; seed++) {
      const random = play(make, { order: { _tag: "Seed", seed } })
      const again = play(make, { order: { _tag: "Choices", choices: random.stage.choices } })
      assert.strictEqual(order(again), order(random))
      orders.add(order(random))
    }
    assert.isAbove(orders.size, 10)
  })

  it("moves the clock only when every fiber waits", () => {
    const { ledger, stage } = play((ledger) =>
      Effect.gen(function*() {
        yield* Effect.forkChild(Effect.andThen(Effect.sleep("1 hour"), Effect.sync(() => ledger.note("an hour"))))
        yield* Effect.forkChild(Effect.andThen(Effect.sleep("1 minute"), Effect.sync(() => ledger.note("a minute"))))
        for (let i = 0; i < 100; i++) yield* Effect.yieldNow
        ledger.note(`at ${yield* Clock.currentTimeMillis}`)
        yield* Effect.sleep("1 day")
      })
    )
    assert.deepStrictEqual(ledger.events.map(({ ms, text }) => `${text}, ${ms}`), [
      "at 0, 0",
      "a minute, 60000",
      "an hour, 3600000"
    ])
    assert.strictEqual(stage.now, 86_400_000)
  })

  it("interrupts the parked fiber before it continues, and only once", () => {
    const make = (ledger: Ledger) => Effect.forEach([1, 2, 3], (n) => Effect.sync(() => ledger.note(`${n}`)))
    const { stage } = play(make)
    const seen = stage.recording.Park.map(([point]) => {
      const { ledger, problems, stage } = play(make, { points: [point] })
      assert.deepStrictEqual(problems, [])
      assert.strictEqual(stage.applied.length, 1)
      return ledger.events.length
    })
    // Earlier points allow fewer operations; none allows an operation after the interruption.
    assert.deepStrictEqual(seen, [...seen].sort())
    assert.deepStrictEqual([...new Set(seen)], [0, 1, 2, 3])
  })

  it("does not count the result of an asynchronous operation as an operation", () => {
    const make = () => Effect.andThen(Effect.sleep(1), Effect.void)
    const { operations, stage } = play(make)
    const deliveries = operations.filter(({ op }) =>
      !stage.recording.Park.some(([point]) => point._tag === "Park" && point.op === op)
    )
    assert.deepStrictEqual(deliveries.map(({ name }) => name), ["Success"])
  })

  it("gives Random and Math.random the numbers of the seed, and restores them", () => {
    // Looked up at each call, as a program does.
    const random = () => Math.random()
    const make = (ledger: Ledger) =>
      Effect.gen(function*() {
        ledger.note(`${yield* Random.next} ${yield* Random.nextInt}`)
        yield* Effect.sync(() => ledger.note(`${random()}`))
      })
    const numbers = (seed: number) => play(make, { seed }).ledger.events.map(({ text }) => text)
    const own = Math.random
    assert.deepStrictEqual(numbers(1), numbers(1))
    assert.notDeepEqual(numbers(1), numbers(2))
    assert.strictEqual(Math.random, own)
  })

  it("stops an endless loop, and fibers that remain after a run", () => {
    let turns = 0
    const { problems, stage } = play(() => Effect.forever(Effect.sync(() => turns++)))
    assert.deepStrictEqual(problems, ["the program did not end within 10000 operations"])
    const ops = stage.ops
    const before = turns
    stage.root!.interruptUnsafe()
    assert.strictEqual(stage.ops, ops)
    assert.strictEqual(turns, before)
  })

  it("lists the live fibers after the program has ended", () => {
    const { problems } = play(() => Effect.forkDetach(Effect.forever(Effect.sleep("1 second"))))
    assert.deepStrictEqual(problems, ["still alive after the program has ended: fiber 1"])
    assert.deepStrictEqual(play(() => Effect.forkDetach(Effect.sleep("30 seconds"))).problems, [])
  })

  it("catches errors of an observer of a fiber", () => {
    const { problems } = play(() =>
      Effect.map(Effect.forkChild(Effect.yieldNow), (fiber) => {
        fiber.addObserver(() => {
          throw new Error("from an observer")
        })
      }).pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(Effect.yieldNow))
    )
    assert.deepStrictEqual(problems, ["a task of the scheduler threw: Error: from an observer"])
  })

  it("retains only the name of a fiber", () => {
    const { operations } = play(() => Effect.flatMap(Effect.forkChild(Effect.yieldNow), Fiber.join))
    assert.deepStrictEqual([...new Set(operations.map(({ fiber }) => fiber))], ["root", "fiber 1"])
  })
})
