/**
 * Parcels are announced to a carrier. Its service is out of order for a good part of the day; what could not be
 * announced is tried again and again, and more and more fibers do so.
 *
 * Healthy: the carrier is back at 55 % of the run, and all of them are through before 70 % are over.
 */
import { Context, Data, Effect, Layer, Schedule } from "effect"
import { elapsed, part } from "../../support/life.ts"

class OutOfOrder extends Data.TaggedError("OutOfOrder")<{ readonly parcel: number }> {}

class Carrier extends Context.Service<Carrier, {
  readonly announce: (parcel: number, contents: ReadonlyArray<string>) => Effect.Effect<string, OutOfOrder>
}>()("parcels/Carrier") {
  static readonly layer = Layer.sync(Carrier, () => ({
    announce: Effect.fn("Carrier.announce")(function*(parcel: number, contents: ReadonlyArray<string>) {
      yield* Effect.sleep("8 millis")
      if (elapsed() > 0.15 && elapsed() < 0.55 && parcel % 8 === 0) return yield* new OutOfOrder({ parcel })
      return `${parcel} with ${contents.length} things`
    })
  }))
}

let parcels = 0

const ship = Effect.fn("Parcels.ship")(function*() {
  const carrier = yield* Carrier
  const parcel = ++parcels
  const contents = Array.from({ length: 40 }, (_, n) => `${n} pieces of ${parcel}`)
  return yield* carrier.announce(parcel, contents).pipe(
    Effect.retry(Schedule.jittered(Schedule.spaced(part(0.07))))
  )
})

const warehouse = ship().pipe(
  Effect.forkDetach,
  Effect.repeat(Schedule.jittered(Schedule.spaced("10 millis"))),
  Effect.provide(Carrier.layer)
)

Effect.runFork(warehouse)
