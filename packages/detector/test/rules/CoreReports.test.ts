/** What core's modules say of themselves, from the module to the finding. */
import { assert, describe, it } from "@effect/vitest"
import * as ConnectionPool from "@fiberscope/core/ConnectionPool"
import * as Deadline from "@fiberscope/core/Deadline"
import { Listeners } from "@fiberscope/core/Listeners"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { EventEmitter } from "node:events"
import type { Message } from "../../src/agent/Protocol.ts"
import { LeakDetector } from "../../src/LeakDetector.ts"
import { tick } from "../support/simulate.ts"

/** A process of which nothing is heard but that time passes. */
const source = (send: (message: Message) => void) => {
  let t = 0
  send({ type: "copy", t, where: "test" })
  return { tick: () => send(tick(t += 1000)), answer: () => {}, stop: () => {} }
}

const Modules = Layer.mergeAll(
  LeakDetector.layer({ samplingBytes: 0, source }),
  Listeners.layer({ name: "bus", warnAbove: 3 }),
  Deadline.Deadline.layer()
)

const found = Effect.gen(function*() {
  const { findings } = yield* (yield* LeakDetector).diagnosis
  return findings.map(({ kind, site }) => `${kind} ${site.name}`)
})

const bus = new EventEmitter()

const forget = Effect.gen(function*() {
  const pool = yield* ConnectionPool.make({
    name: "db",
    acquire: Effect.succeed(1),
    max: 5,
    leakThreshold: "5 seconds"
  })
  yield* pool.lease()
  const listeners = yield* Listeners
  for (let i = 0; i < 4; i++) yield* listeners.on(bus, "price", () => {})
  yield* Effect.ignore(Deadline.abandon(Effect.uninterruptible(Effect.sleep("50 seconds")), "1 second", "driver"))
})

describe("what core says of itself", () => {
  it.effect("becomes a finding when it lasts, and ends with it", () =>
    Effect.gen(function*() {
      const work = yield* Effect.forkChild(Effect.scoped(Effect.andThen(forget, Effect.sleep("40 seconds"))))
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(yield* found, [])
      yield* TestClock.adjust("10 seconds")
      assert.sameMembers(yield* found, ["lease-overdue db", "listener-pile-up bus", "stuck-end default"])
      yield* TestClock.adjust("50 seconds")
      assert.isDefined(work.pollUnsafe())
      assert.deepStrictEqual(yield* found, [])
    }).pipe(Effect.provide(Modules)))
})
