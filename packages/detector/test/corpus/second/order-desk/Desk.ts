import { Context, Effect, Layer, Random, Schedule } from "effect"
import { Events } from "./Events.ts"

/** Follows one order until there is nothing more to say about it. */
export class Tracking extends Context.Service<Tracking, {
  readonly follow: (order: number) => Effect.Effect<void>
}>()("desk/Tracking") {}

export class Desk extends Context.Service<Desk, {
  readonly place: Effect.Effect<void>
}>()("desk/Desk") {
  static readonly layer = Layer.effect(
    Desk,
    Effect.gen(function*() {
      const events = yield* Events
      const tracking = yield* Tracking
      let orders = 0

      const place = Effect.gen(function*() {
        const order = ++orders
        yield* tracking.follow(order)
        yield* events.publish({ _tag: "Placed", order })
        yield* Effect.sleep(yield* Random.nextIntBetween(100, 400))
        const cancelled = yield* Random.nextBetween(0, 1)
        yield* events.publish({ _tag: cancelled < 0.15 ? "Cancelled" : "Delivered", order })
      })

      return { place }
    })
  )
}

export const open = Effect.gen(function*() {
  const desk = yield* Desk
  yield* desk.place.pipe(Effect.forkChild, Effect.repeat(Schedule.jittered(Schedule.spaced("40 millis"))))
})
