import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger, References, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Message, Tick } from "../src/agent/Protocol.ts"
import type { FindingEvent } from "../src/LeakDetector.ts"
import { LeakDetector } from "../src/LeakDetector.ts"
import type { LeakRule } from "../src/LeakRule.ts"
import { FiberGrowth } from "../src/rules/FiberGrowth.ts"
import { controls } from "./support/hostile.ts"

const tick = (t: number, live: number, flow: Tick["flow"]): Tick => ({
  type: "tick",
  t,
  fibers: { started: live, ended: 0, abandoned: 0, live, tenured: live },
  flow,
  live: [],
  memory: { heapUsed: 0, heapLimit: 4e9, rss: 0, external: 0, arrayBuffers: 0 },
  floors: [],
  loop: { p50: 0, p99: 0, max: 0, utilization: 0 },
  gc: { pauseMs: 0, count: 0 },
  resources: {},
  own: { ms: 0, bytes: 0 }
})

/** A process that starts `perSecond` fibers of one site each second. The fibers of each second end `livesFor` seconds later. */
const source = (perSecond: number, livesFor: (second: number) => number) => (send: (message: Message) => void) => {
  let second = 0
  send({ type: "copy", t: 0, where: "test" })
  send({ type: "site", id: 2, fork: { name: "handler", file: "/app/server.ts", line: 42, column: 3 }, chain: [] })
  return {
    tick: () => {
      second++
      const ends: Array<Tick["flow"][number]> = []
      for (let born = 0; born < second; born++) {
        if (born + livesFor(born) === second) ends.push([2, born, 0, perSecond, 0])
      }
      send(tick(second * 1000, perSecond * second, [[2, second - 1, perSecond, 0, 0], ...ends]))
    },
    answer: () => {},
    stop: () => {}
  }
}

const quietly = { rules: undefined, samplingBytes: 0 } as const

describe("LeakDetector", () => {
  it.effect("reports when a leak begins, when it has grown tenfold, and when it has ended", () =>
    Effect.gen(function*() {
      const reported: Array<string> = []
      const detector = LeakDetector.layer({
        ...quietly,
        source: source(5, (born) => (born < 1500 ? 1600 - born : 1)),
        onFinding: ({ _tag, finding }) => Effect.sync(() => void reported.push(`${_tag} ${finding.site.name}`))
      })
      yield* Effect.gen(function*() {
        yield* TestClock.adjust("15 seconds")
        assert.deepStrictEqual(reported, [])
        yield* TestClock.adjust("30 seconds")
        assert.deepStrictEqual(reported, ["Began handler"])
        const [finding] = yield* (yield* LeakDetector).findings
        assert.strictEqual(finding?.kind, "fiber-growth")
        yield* TestClock.adjust("1400 seconds")
        assert.deepStrictEqual(reported, ["Began handler", "Grew handler"])
        yield* TestClock.adjust("4000 seconds")
        assert.deepStrictEqual(reported, ["Began handler", "Grew handler", "Ended handler"])
        assert.deepStrictEqual(yield* (yield* LeakDetector).findings, [])
      }).pipe(Effect.provide(detector))
    }))

  it.effect("reports nothing about fibers that end after a while", () =>
    Effect.gen(function*() {
      const events: Array<FindingEvent> = []
      yield* Effect.gen(function*() {
        const reader = yield* Effect.forkChild(
          Stream.runForEach((yield* LeakDetector).events, (event) => Effect.sync(() => void events.push(event))),
          { startImmediately: true }
        )
        yield* TestClock.adjust("10 minutes")
        yield* Fiber.interrupt(reader)
        assert.deepStrictEqual(events, [])
        const { findings } = yield* (yield* LeakDetector).diagnosis
        assert.deepStrictEqual(findings, [])
      }).pipe(Effect.provide(LeakDetector.layer({ ...quietly, source: source(20, () => 8) })))
    }))

  it.effect("switches off a rule that throws and a callback that fails or hangs, and continues", () =>
    Effect.gen(function*() {
      let checks = 0
      let calls = 0
      const broken: LeakRule = {
        name: "Broken",
        check: () => {
          checks++
          throw new Error("on purpose")
        }
      }
      const watching: LeakRule = { name: "Watching", check: () => ({ _tag: "Ok" }) }
      yield* Effect.gen(function*() {
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(checks, 1)
      }).pipe(
        Effect.provide(LeakDetector.layer({ ...quietly, rules: [broken, watching], source: source(5, () => 9999) }))
      )
      yield* Effect.gen(function*() {
        yield* TestClock.adjust("40 minutes")
        assert.strictEqual(calls, 1)
        assert.strictEqual((yield* (yield* LeakDetector).findings).length, 1)
      }).pipe(Effect.provide(LeakDetector.layer({
        ...quietly,
        source: source(5, () => 99_999),
        onFinding: () => Effect.andThen(Effect.sync(() => void calls++), Effect.never)
      })))
    }))

  it.effect("writes log lines and findings without control characters of the program", () =>
    Effect.gen(function*() {
      const hostileName = "evil\u001b[2J\n::error::x\u202e"
      const lines: Array<string> = []
      const logger = Logger.make(({ cause, message }) => void lines.push(String(message), ...cause.reasons.map(String)))
      const broken: LeakRule = {
        name: hostileName,
        check: () => {
          throw new Error(hostileName)
        }
      }
      const said: Array<string> = []
      const named = (send: (message: Message) => void) =>
        source(5, () => 9999)((message) =>
          send(message.type === "site" ? { ...message, fork: { ...message.fork, name: hostileName } } : message)
        )
      yield* Effect.gen(function*() {
        yield* TestClock.adjust("2 minutes")
      }).pipe(
        Effect.provide(LeakDetector.layer({
          ...quietly,
          rules: [FiberGrowth, broken],
          source: named,
          onFinding: ({ finding }) => {
            said.push(JSON.stringify(finding))
            return Effect.die(new Error(hostileName))
          }
        })),
        Effect.provideService(References.CurrentLoggers, new Set([logger]))
      )
      assert.strictEqual(lines.length, 2)
      assert.match(lines[0]!, /^LeakDetector switched off: rule evil\\x1b\[2J\\n:\\:error::x\\u202e: Error: evil\\x1b/)
      assert.match(lines[1]!, /^LeakDetector switched off: onFinding failed: Error: evil\\x1b/)
      assert.isAbove(said.length, 0)
      for (const text of [...lines, ...said]) {
        assert.notMatch(text, controls)
        assert.notInclude(text, "\n")
      }
    }))

  // it.live: the agent in this process reads real fibers and real memory.
  it.live("sees the fibers of its own program, and releases everything when its scope ends", () =>
    Effect.gen(function*() {
      const evaluate = Object.getPrototypeOf(Effect.runFork(Effect.void)).evaluate
      const gate = yield* Deferred.make<void>()
      const program = Effect.gen(function*() {
        for (let i = 0; i < 20; i++) yield* Effect.forkChild(Deferred.await(gate))
        yield* Effect.sleep(300)
        return yield* (yield* LeakDetector).diagnosis
      })
      const diagnosis = yield* Effect.provide(program, LeakDetector.layer({ interval: 50 }).pipe(Layer.fresh))
      assert.strictEqual(diagnosis.verdict, "undecided")
      assert.deepStrictEqual(diagnosis.problems, [])
      assert.strictEqual(Object.getPrototypeOf(Effect.runFork(Effect.void)).evaluate, evaluate)
    }))
})
