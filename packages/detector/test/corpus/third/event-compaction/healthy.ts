/**
 * A store of its own making: every change is appended to a log, and the log is compacted three times in a run.
 *
 * Healthy: what is left after a compaction is one entry for each of the 500 keys, whatever has been written.
 */
import { Context, Effect, Layer, Schedule } from "effect"
import { part } from "../../support/life.ts"

interface Change {
  readonly key: number
  readonly version: number
  readonly fields: ReadonlyArray<string>
}

class Store extends Context.Service<Store, {
  readonly put: (key: number, fields: ReadonlyArray<string>) => Effect.Effect<void>
  readonly compact: Effect.Effect<number>
}>()("store/Store") {
  static readonly layer = Layer.effect(
    Store,
    Effect.sync(() => {
      let log: Array<Change> = []
      let version = 0
      const put = Effect.fn("Store.put")(function*(key: number, fields: ReadonlyArray<string>) {
        yield* Effect.sleep("1 millis")
        log.push({ key, version: ++version, fields })
      })
      const compact = Effect.sync(() => {
        const newest = new Map<number, Change>()
        for (const change of log) newest.set(change.key, change)
        const dropped = log.length - newest.size
        log = [...newest.values()]
        return dropped
      }).pipe(Effect.withSpan("Store.compact"))
      return { put, compact }
    })
  )
}

const main = Effect.gen(function*() {
  const store = yield* Store
  yield* store.compact.pipe(Effect.delay(part(0.31)), Effect.forever, Effect.forkScoped)
  const write = Effect.suspend(() =>
    store.put(Math.floor(Math.random() * 500), Array.from({ length: 60 }, (_, n) => `${n}:${Math.random()}`))
  )
  yield* Effect.repeat(write, Schedule.jittered(Schedule.spaced("9 millis")))
})

Effect.runFork(Effect.scoped(main).pipe(Effect.provide(Store.layer)))
