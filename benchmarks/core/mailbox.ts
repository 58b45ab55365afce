/** The cost of a message from one fiber to another that has an owner until it has been handled. */
import { Effect, Queue } from "effect"
import * as Mailbox from "../../packages/core/src/Mailbox.ts"
import type { Comparison, Prepare } from "../harness.ts"
import { cpuTime } from "../harness.ts"

const count = 20_000

const timed = (program: Effect.Effect<void>): Prepare => () => async () => {
  const start = cpuTime()
  await Effect.runPromise(program)
  return (cpuTime() - start) * 1e6 / count
}

/** The smallest handler: one operation. */
const handle = () => Effect.void

const capacity = 100

/** A producer and a consumer in two fibers. The buffer fills up and empties again. */
const queue = Effect.gen(function*() {
  const messages = yield* Queue.bounded<number>(capacity)
  const consumer = Effect.gen(function*() {
    for (let i = 0; i < count; i++) yield* Effect.flatMap(Queue.take(messages), handle)
  })
  const producer = Effect.gen(function*() {
    for (let i = 0; i < count; i++) yield* Queue.offer(messages, i)
  })
  yield* Effect.all([producer, consumer], { concurrency: 2, discard: true })
})

const mailboxRun = Effect.scoped(Effect.gen(function*() {
  const messages = yield* Mailbox.make<number>({ capacity })
  const producer = Effect.gen(function*() {
    for (let i = 0; i < count; i++) yield* messages.send(i)
    yield* messages.close
  })
  yield* Effect.all([Effect.orDie(producer), messages.run(handle)], { concurrency: 2, discard: true })
}))

const mailboxReceive = Effect.scoped(Effect.gen(function*() {
  const messages = yield* Mailbox.make<number>({ capacity })
  const consumer = Effect.gen(function*() {
    for (let i = 0; i < count; i++) yield* messages.receive(handle)
  })
  const producer = Effect.gen(function*() {
    for (let i = 0; i < count; i++) yield* messages.send(i)
  })
  yield* Effect.orDie(Effect.all([producer, consumer], { concurrency: 2, discard: true }))
}))

export const messages: ReadonlyArray<Comparison> = [
  {
    name: "send and handle a message",
    unit: "ns/message",
    variants: { "Queue": timed(queue), "Mailbox.run": timed(mailboxRun), "Mailbox.receive": timed(mailboxReceive) },
    goals: { "Mailbox.run": 1.2, "Mailbox.receive": 1.2 },
    precision: 0.02,
    limitMs: 40_000
  }
]
