/**
 * Files of addresses are imported: one fiber reads lines, another stores what was read, with a queue between them.
 * The twin of leak.ts: the queue is ended however the reading ends.
 */
import { type Cause, Effect, Queue, Schema } from "effect"
import { jitter } from "../../support/life.ts"

const Address = Schema.Struct({
  name: Schema.String,
  postcode: Schema.FiniteFromString
})
type Address = typeof Address.Type

class BadLine extends Schema.TaggedError<BadLine>()("BadLine", { line: Schema.String }) {}

const decode = Schema.decodeUnknownEffect(Address)

let stored = 0

const readLine = Effect.fn("Import.readLine")(function*(line: string) {
  const [name, postcode] = line.split(";")
  return yield* Effect.mapError(decode({ name, postcode }), () => new BadLine({ line }))
})

const store = Effect.fn("Import.store")(function*(addresses: Queue.Dequeue<Address, Cause.Done>) {
  while (true) {
    const batch = yield* Queue.takeAll(addresses)
    yield* Effect.sleep("1 millis")
    stored += batch.length
  }
})

const importFile = Effect.fn("Import.file")(function*(lines: ReadonlyArray<string>) {
  const addresses = yield* Queue.bounded<Address, Cause.Done>(64)
  yield* Effect.forkDetach(store(addresses))
  const read = Effect.forEach(lines, (line) => Effect.flatMap(readLine(line), (row) => Queue.offer(addresses, row)))
  yield* Effect.ensuring(read, Queue.end(addresses))
})

const makeFile = (id: number) =>
  Array.from({ length: 12 }, (_, n) => `Customer ${id}-${n};${id % 6 === 0 && n === 9 ? "unknown" : 10000 + n}`)

const main = Effect.gen(function*() {
  for (let id = 1;; id++) {
    yield* Effect.forkChild(Effect.ignore(importFile(makeFile(id))))
    yield* Effect.sleep(jitter(20))
  }
})

Effect.runFork(main)
