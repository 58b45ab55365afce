/*
 * The order desk of a company: orders are placed, followed by events, and delivered or cancelled.
 *
 * What leak.ts does wrong is put right here: an order is followed until it is delivered or cancelled.
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
        Stream.takeUntil((event) => event._tag !== "Placed"),
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
