/*
 * Every parcel is a little machine: a fiber that goes from state to state and listens to its mailbox. One in thirty
 * is cancelled on its way.
 *
 * Healthy: a parcel takes an eighth of the run at most, and leaves the table whether it is delivered or not; some
 * eighty are on their way.
 */
import { Effect, FiberMap, Queue } from "effect"
import { jitter, part } from "../../support/life.ts"

type State = "accepted" | "sorted" | "loaded" | "out" | "delivered"

interface Parcel {
  readonly id: number
  state: State
  readonly scans: Array<{ readonly state: State; readonly place: string; readonly at: number }>
  readonly mailbox: Queue.Queue<string>
}

const next: Record<State, State> = {
  accepted: "sorted",
  sorted: "loaded",
  loaded: "out",
  out: "delivered",
  delivered: "delivered"
}

const depot = new Map<number, Parcel>()

const travel = Effect.fn("Parcel.travel")(function*(id: number) {
  const parcel: Parcel = { id, state: "accepted", scans: [], mailbox: yield* Queue.sliding<string>(5) }
  depot.set(id, parcel)
  while (parcel.state !== "delivered") {
    const word = yield* Queue.take(parcel.mailbox).pipe(Effect.timeoutOption(jitter(part(0.02))))
    if (word._tag === "Some") parcel.scans.push({ state: parcel.state, place: word.value, at: performance.now() })
    if (parcel.scans.length > 12) parcel.scans.shift()
    parcel.state = next[parcel.state]
    parcel.scans.push({ state: parcel.state, place: `hub ${id % 7}`, at: performance.now() })
  }
}, (effect, id) => Effect.ensuring(effect, Effect.sync(() => depot.delete(id))))

Effect.runFork(
  Effect.gen(function*() {
    const fibers = yield* FiberMap.make<number>()
    for (let id = 0;; id++) {
      yield* FiberMap.run(fibers, id, travel(id))
      if (id % 30 === 15) yield* FiberMap.remove(fibers, id - 10)
      const [first] = depot.values()
      if (first) yield* Queue.offer(first.mailbox, `seen near ${id}`)
      yield* Effect.sleep(jitter(part(0.08) / 80))
    }
  }).pipe(Effect.scoped)
)
