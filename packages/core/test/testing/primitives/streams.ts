import { Context, Effect, Layer, ManagedRuntime, Stream } from "effect"
import type { Lease, Ledger } from "../../../src/testing/index.ts"
import type { Case } from "./Case.ts"
import { one } from "./Case.ts"

const slow = { opens: 2, closes: 2 }

/** Numbers from a source that is a resource. */
const numbers = (ledger: Ledger, name = "source") =>
  Stream.unwrap(Effect.as(ledger.resource(name, slow), Stream.range(1, 6)))

const item = (ledger: Ledger, name: string) =>
  Effect.acquireUseRelease(ledger.open(name), () => Effect.sleep(1), (lease) => ledger.close(lease))

class Db extends Context.Service<Db, string>()("Db") {}
class Api extends Context.Service<Api, string>()("Api") {}

const db = (ledger: Ledger) => Layer.effect(Db, Effect.map(ledger.resource("db", slow), ({ id }) => id))
const api = (ledger: Ledger) =>
  Layer.effect(Api, Effect.flatMap(Db, () => Effect.map(ledger.resource("api", slow), ({ id }) => id)))

export const streams: ReadonlyArray<Case> = [
  one("Stream.acquireRelease, take", (ledger) => Stream.runDrain(Stream.take(numbers(ledger), 3))),
  one("Stream.onExit", (ledger) =>
    Stream.runDrain(Stream.suspend(() => {
      let lease: Lease | undefined
      const opening = Stream.fromEffectDrain(Effect.sync(() => {
        lease = ledger.acquire("opened")
      }))
      return Stream.onExit(
        Stream.concat(opening, Stream.range(1, 5)),
        () => lease === undefined ? Effect.void : ledger.close(lease)
      )
    }))),
  one(
    "Stream.mapEffect, concurrent",
    (ledger) => Stream.runDrain(Stream.mapEffect(numbers(ledger), (n) => item(ledger, `item${n}`), { concurrency: 3 }))
  ),
  one(
    "Stream.flatMap, concurrent",
    (ledger) =>
      Stream.runDrain(Stream.flatMap(Stream.range(1, 3), (n) => numbers(ledger, `inner${n}`), { concurrency: 2 }))
  ),
  one(
    "Stream.buffer",
    (ledger) =>
      Stream.runDrain(Stream.mapEffect(Stream.buffer(numbers(ledger), { capacity: 2 }), () => Effect.sleep(1)))
  ),
  one("Stream.merge", (ledger) => Stream.runDrain(Stream.merge(numbers(ledger, "left"), numbers(ledger, "right")))),
  one("Stream.zip", (ledger) => Stream.runDrain(Stream.zip(numbers(ledger, "left"), numbers(ledger, "right")))),
  one(
    "Stream.groupedWithin",
    (ledger) => Stream.runDrain(Stream.groupedWithin(Stream.tap(numbers(ledger), () => Effect.sleep(2)), 2, 3))
  ),
  one(
    "Stream.debounce",
    (ledger) => Stream.runDrain(Stream.debounce(Stream.tap(numbers(ledger), () => Effect.sleep(2)), 3))
  ),
  one(
    "Stream.throttle",
    (ledger) =>
      Stream.runDrain(Stream.throttle(numbers(ledger), { cost: () => 1, units: 2, duration: 5, strategy: "shape" }))
  ),
  one(
    "Stream.toQueue",
    (ledger) => Effect.scoped(Effect.andThen(Stream.toQueue(numbers(ledger), { capacity: 2 }), Effect.sleep(5)))
  ),
  one(
    "Stream.share",
    (ledger) =>
      Effect.scoped(
        Effect.flatMap(Stream.share(numbers(ledger), { capacity: 4 }), (shared) =>
          Effect.all([Stream.runDrain(shared), Stream.runDrain(shared)], { concurrency: 2 }))
      )
  ),
  one(
    "Layer",
    (ledger) => Effect.provide(Effect.andThen(Api, Effect.sleep(5)), Layer.provideMerge(api(ledger), db(ledger)))
  ),
  one("Layer.launch", (ledger) => Layer.launch(Layer.provide(api(ledger), db(ledger))), { endless: true }),
  one("Layer.build in a scope", (ledger) => Effect.scoped(Layer.build(Layer.provide(api(ledger), db(ledger))))),
  // The runtime builds its layer with the scheduler and the clock of the process.
  one("ManagedRuntime", (ledger) =>
    Effect.acquireUseRelease(
      Effect.sync(() => ManagedRuntime.make(Layer.effect(Db, Effect.map(ledger.resource("db"), ({ id }) => id)))),
      (runtime) =>
        Effect.flatMap(runtime.contextEffect, (context) =>
          Effect.provideContext(Effect.andThen(Db, Effect.sleep(3)), context)),
      (runtime) =>
        runtime.disposeEffect
    ), { driver: "async" })
]
