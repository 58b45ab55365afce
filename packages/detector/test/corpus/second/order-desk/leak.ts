/*
 * The order desk of a company: orders are placed, followed by events, and delivered or cancelled.
 *
 * What is wrong: an order is followed until it is delivered. Cancelled ones never are, so their subscription stays open
 * and their fiber goes on reading the events of all other orders.
 */
import { Effect, Layer, Stream } from "effect"
import "../../support/life.ts"
import { Desk, open, Tracking } from "./Desk.ts"
import { Events } from "./Events.ts"

const TrackingLive = Layer.effect(
  Tracking,
  Effect.gen(function*() {
    const { hub } = yield* Events
    const scope = yield* Effect.scope

    const follow = Effect.fn("Tracking.follow")(function*(order: number) {
      const history: Array<string> = []
      const until = Stream.fromPubSub(hub).pipe(
        Stream.filter((event) => event.order === order),
        Stream.takeUntil((event) => event._tag === "Delivered"),
        Stream.runForEach((event) => Effect.sync(() => history.push(event._tag)))
      )
      yield* Effect.forkIn(until, scope)
      yield* Effect.yieldNow
    })

    return { follow }
  })
)

const main = open.pipe(
  Effect.provide(Desk.layer.pipe(Layer.provide(TrackingLive), Layer.provide(Events.layer)))
)

Effect.runFork(main)
