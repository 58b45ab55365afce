/** The cost of a stream from a generator that is listed and always ends. */
import { Effect, Stream } from "effect"
import * as ManagedStream from "../../packages/core/src/ManagedStream.ts"
import type { Comparison, Prepare } from "../harness.ts"
import { cpuTime } from "../harness.ts"

async function* numbers(count: number) {
  for (let n = 0; n < count; n++) yield n
}

type Open = (count: number) => Stream.Stream<number, unknown>

const plain: Effect.Effect<Open> = Effect.succeed((count) =>
  Stream.suspend(() => Stream.fromAsyncIterable(numbers(count), (cause) => cause))
)

const managed = Effect.map(
  ManagedStream.make(),
  (streams): Open => (count) => streams.fromGenerator("numbers", () => numbers(count))
)

/** Nanoseconds of processor time for each of the `count` parts of the work. */
const timed = (
  count: number,
  make: Effect.Effect<Open, never, import("effect").Scope.Scope>,
  use: (open: Open) => Effect.Effect<unknown, unknown>
): Prepare =>
() =>
async () => {
  const start = cpuTime()
  await Effect.runPromise(Effect.scoped(Effect.flatMap(make, use)))
  return (cpuTime() - start) * 1e6 / count
}

const items = 20_000

const streams = 2000

const each = (one: (open: Open) => Effect.Effect<unknown, unknown>) => (open: Open) =>
  Effect.gen(function*() {
    const run = one(open)
    for (let i = 0; i < streams; i++) yield* run
  })

const compare = (name: string, unit: string, count: number, use: (open: Open) => Effect.Effect<unknown, unknown>) => ({
  name,
  unit,
  variants: { "Stream.fromAsyncIterable": timed(count, plain, use), ManagedStream: timed(count, managed, use) },
  goals: { ManagedStream: 1.2 },
  precision: 0.02,
  limitMs: 40_000
})

export const generators: ReadonlyArray<Comparison> = [
  compare("items of a generator", "ns/item", items, (open) => Stream.runDrain(open(items))),
  compare("a generator of 5 items, read to its end", "ns/stream", streams, each((open) => Stream.runDrain(open(5)))),
  compare(
    "a generator closed after 5 items",
    "ns/stream",
    streams,
    each((open) => Stream.runDrain(Stream.take(open(100), 5)))
  )
]
