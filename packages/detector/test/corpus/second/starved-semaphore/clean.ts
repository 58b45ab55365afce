/*
 * At most five thumbnails are made at a time.
 *
 * What leak.ts does wrong is put right here: `withPermits` gives the permit back in any case.
 */
import { Data, Effect, Schedule, Semaphore } from "effect"
import "../../support/life.ts"

class BrokenPicture extends Data.TaggedError("BrokenPicture")<{ readonly id: number }> {}

const permits = Semaphore.makeUnsafe(5)

const scale = Effect.fn("Thumbnails.scale")(function*(id: number) {
  yield* Effect.sleep(20)
  if (id % 25 === 0) return yield* new BrokenPicture({ id })
  return { id, width: 160, height: 120 }
})

const thumbnail = Effect.fn("Thumbnails.thumbnail")(function*(id: number) {
  return yield* permits.withPermits(1)(scale(id))
})

let id = 0

const arrival = Effect.suspend(() => Effect.forkDetach(Effect.ignore(thumbnail(++id))))

Effect.runFork(Effect.repeat(arrival, Schedule.jittered(Schedule.spaced("18 millis"))))
