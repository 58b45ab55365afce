/**
 * Performs a million operations that end, over about 40 s, for the detector to observe:
 * `node program.ts <tasks|messages|batches|leases|streams|leak>`. `leak` keeps
 * every tenth of the ended operations, as a control.
 */
import type { Scope } from "effect"
import { Effect, References, Stream } from "effect"
import * as BatchWorker from "../../src/BatchWorker.ts"
import * as ConnectionPool from "../../src/ConnectionPool.ts"
import * as Mailbox from "../../src/Mailbox.ts"
import * as ManagedStream from "../../src/ManagedStream.ts"
import * as TaskManager from "../../src/TaskManager.ts"

const thousands = 1000
const everyMs = 38

/** Starts a thousand operations at a time, at a steady rate. */
const steadily = <E>(thousand: Effect.Effect<unknown, E>) =>
  Effect.gen(function*() {
    const { performance } = globalThis
    const start = performance.now()
    for (let i = 1; i <= thousands; i++) {
      yield* thousand
      yield* Effect.sleep(Math.max(start + i * everyMs - performance.now(), 1))
    }
  })

const times = <E>(effect: Effect.Effect<unknown, E>) =>
  Effect.gen(function*() {
    for (let i = 0; i < 1000; i++) yield* effect
  })

/** Some tasks end immediately, some after a while, some fail. */
const tasks = (keep: (task: unknown) => void) =>
  Effect.gen(function*() {
    const manager = yield* TaskManager.make({ name: "ended", maxRunning: 100, onFailure: "ignore" })
    let n = 0
    const work = Effect.suspend(() => ++n % 3 === 0 ? Effect.fail("no") : n % 3 === 1 ? Effect.yieldNow : Effect.void)
    yield* steadily(times(Effect.map(manager.spawn("task", work), keep)))
    yield* manager.awaitIdle
    yield* Effect.log(`${(yield* manager.failures).length} failures kept`)
  })

const messages = Effect.gen(function*() {
  const mailbox = yield* Mailbox.make<object>({ capacity: 100, maxDeliveries: 1, onDrop: () => {} })
  let n = 0
  const handle = () => ++n % 10 === 0 ? Effect.fail("no") : Effect.void
  yield* steadily(times(Effect.andThen(mailbox.send({ text: "a message" }), Effect.exit(mailbox.receive(handle)))))
  yield* Effect.log(yield* mailbox.counts)
})

const batches = Effect.gen(function*() {
  let n = 0
  const worker = yield* BatchWorker.make<object, string>({
    maxSize: 1,
    flush: () => ++n % 10 === 0 ? Effect.fail("down") : Effect.void,
    onGiveUp: () => Effect.void
  })
  yield* steadily(Effect.andThen(times(worker.offer({ text: "an item" })), worker.flushNow))
  yield* Effect.log(yield* worker.counts)
})

/** Some streams are read to their end, some in part, some fail and some throw in their `finally`. */
const streams = Effect.gen(function*() {
  const managed = yield* ManagedStream.make()
  let n = 0
  const numbers = managed.fromGenerator("numbers", async function*() {
    const fails = ++n % 10
    try {
      yield n
      if (fails === 0) throw new Error("no")
      yield n
    } finally {
      // The generator is suspended at its first `yield` when it is closed.
      // oxlint-disable-next-line no-unsafe-finally
      if (fails === 1) throw new Error("broken")
    }
  })
  const read = Effect.suspend(() => Effect.exit(Stream.runDrain(n % 2 === 0 ? Stream.take(numbers, 1) : numbers)))
  yield* Effect.provideService(steadily(times(read)), References.MinimumLogLevel, "None")
  yield* Effect.log(`${n} opened, ${(yield* managed.live).length} live`)
})

/** Leases of every kind: successful, failed, in a scope, waited for, timed out, fatal, and reported as forgotten. */
const leases = Effect.gen(function*() {
  const connect = Effect.acquireRelease(Effect.sync(() => ({ text: "a connection" })), () => Effect.void)
  const pool = yield* ConnectionPool.make({
    acquire: connect,
    validate: () => Effect.void,
    validateAfterIdle: 0,
    isFatal: () => ++n % 100 === 0,
    max: 2,
    maxWaiters: 1,
    leakThreshold: 5
  })
  let n = 0
  const ways: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
    pool.use(() => Effect.void),
    pool.use(() => Effect.fail("no")),
    Effect.scoped(pool.lease({ label: "scoped" })),
    pool.use(() => Effect.yieldNow)
  ]
  let way = 0
  const crowd = Effect.replicateEffect(Effect.exit(pool.use(() => Effect.sleep(6), { acquireTimeout: 1 })), 5, {
    concurrency: 5,
    discard: true
  })
  yield* steadily(Effect.andThen(crowd, times(Effect.suspend(() => Effect.exit(ways[way++ % ways.length]!)))))
  return yield* pool.health
}).pipe(Effect.provideService(References.MinimumLogLevel, "Error"), Effect.flatMap(Effect.log))

const kept: Array<unknown> = []
let ended = 0
const programs: Readonly<Record<string, Effect.Effect<void, unknown, Scope.Scope>>> = {
  tasks: tasks(() => {}),
  messages,
  batches,
  leases,
  streams,
  // All operations would fill the heap within three readings, and a verdict needs more.
  leak: tasks((task) => void (++ended % 10 === 0 && kept.push(task)))
}

Effect.runFork(Effect.scoped(programs[process.argv[2]!]!))
