/**
 * Every change is noted in an audit trail that an administrator may look at, amid traffic that allocates a lot.
 * Leak: the trail is one list in a Ref that nothing ever shortens.
 */
import { Effect, Ref, Schedule } from "effect"
import { jitter } from "../../support/life.ts"

interface Entry {
  readonly at: number
  readonly actor: string
  readonly before: Readonly<Record<string, number>>
  readonly after: Readonly<Record<string, number>>
}

const fields = ["price", "stock", "weight", "width", "height", "depth", "rank", "score"]

const readDocument = () => Object.fromEntries(fields.map((field) => [field, Math.random() * 1000]))

const program = Effect.gen(function*() {
  const trail = yield* Ref.make<ReadonlyArray<Entry>>([])

  const record = (entry: Entry) => Ref.update(trail, (entries) => [...entries, entry])

  const change = Effect.fn("change")(function*(id: number) {
    const before = readDocument()
    yield* Effect.sleep(jitter(3))
    yield* record({ at: id, actor: `user-${id % 17}`, before, after: { ...readDocument(), id } })
  })

  const search = Effect.fn("search")(function*() {
    const hits = Array.from({ length: 400 }, readDocument)
    return JSON.stringify(hits.filter((hit) => hit["price"]! > 500)).length
  })

  yield* search().pipe(Effect.repeat(Schedule.spaced("40 millis")), Effect.forkChild)

  for (let id = 1;; id++) {
    yield* change(id)
    yield* Effect.sleep(jitter(8))
  }
})

Effect.runFork(program)
