/** A service that uses every module of core that holds resources. */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { EventEmitter, on } from "node:events"
import { createReadStream } from "node:fs"
import { createServer } from "node:http"
import * as BatchWorker from "../../src/BatchWorker.ts"
import * as ConnectionPool from "../../src/ConnectionPool.ts"
import * as Deadline from "../../src/Deadline.ts"
import { GracefulShutdown, inPhase } from "../../src/GracefulShutdown.ts"
import * as Health from "../../src/Health.ts"
import { Listeners } from "../../src/Listeners.ts"
import { LiveFibers } from "../../src/LiveFibers.ts"
import * as Mailbox from "../../src/Mailbox.ts"
import { ManagedStream } from "../../src/ManagedStream.ts"
import { ResourceRegistry } from "../../src/ResourceRegistry.ts"
import { TaskManager } from "../../src/TaskManager.ts"

/** Accepts orders over HTTP, processes them in the background, and writes them in batches. */
export class Orders extends Context.Service<Orders, {
  readonly port: number
  /** The written orders, in order. */
  readonly written: ReadonlyArray<number>
  /** The orders seen by the listeners. */
  readonly seen: ReadonlyArray<number>
  /** Sends `n` orders over HTTP, and returns the number of accepted ones. */
  readonly place: (count: number) => Effect.Effect<number>
}>()("Orders") {}

class Inbox extends Context.Service<Inbox, {
  readonly mailbox: Mailbox.Mailbox<number>
  readonly written: Array<number>
  readonly seen: Array<number>
}>()("Inbox") {}

const ordersOf = async function*(bus: EventEmitter, signal: AbortSignal): AsyncGenerator<number> {
  for await (const [item] of on(bus, "order", { signal })) yield item as number
}

const InboxLive = Layer.effect(
  Inbox,
  Effect.gen(function*() {
    const tasks = yield* TaskManager
    const resources = yield* ResourceRegistry
    const listeners = yield* Listeners
    const streams = yield* ManagedStream
    const bus = new EventEmitter()
    const written: Array<number> = []
    yield* resources.register("ledger", Effect.succeed({ open: true }), () => Effect.sleep(1))
    yield* listeners.on(bus, "order", () => Effect.yieldNow)
    const seen: Array<number> = []
    yield* streams.fromGenerator("orders", (signal) => ordersOf(bus, signal)).pipe(
      Stream.runForEach((item) => Effect.sync(() => seen.push(item))),
      Effect.forkScoped({ startImmediately: true })
    )
    yield* Stream.runDrain(streams.fromReadable("terms", () => createReadStream(import.meta.filename)))
    const connect = Effect.acquireRelease(
      Effect.sync(() => ({ write: (items: ReadonlyArray<number>) => Effect.sync(() => void written.push(...items)) })),
      () => Effect.sleep(1)
    )
    const database = yield* ConnectionPool.make({ acquire: connect, max: 2, min: 1 })
    const batches = yield* BatchWorker.make<number, ConnectionPool.LeaseError>({
      flush: (items) => database.use(({ write }) => write(items)),
      onGiveUp: () => Effect.void,
      maxWait: "1 minute"
    })
    const mailbox = yield* Mailbox.make<number>({ capacity: 1000 })
    const work = (item: number) =>
      Deadline.abandon(Effect.sync(() => bus.emit("order", item)), "1 second", "emit").pipe(
        Effect.andThen(batches.offer(item)),
        Effect.orDie
      )
    yield* tasks.spawn("orders", mailbox.run(work, { concurrency: 2 }))
    return { mailbox, written, seen }
  })
)

const Routes = Layer.mergeAll(
  HttpRouter.add(
    "GET",
    "/order/:id",
    Effect.gen(function*() {
      const { mailbox } = yield* Inbox
      const { id } = yield* HttpRouter.params
      yield* Effect.orDie(mailbox.send(Number(id)))
      return HttpServerResponse.text("accepted")
    })
  ),
  Health.routes,
  Health.closeConnections
)

const OrdersLive = Layer.effect(
  Orders,
  Effect.gen(function*() {
    const { seen, written } = yield* Inbox
    const fibers = yield* LiveFibers
    const shutdown = yield* GracefulShutdown
    const port = yield* HttpServer.addressFormattedWith((address) => Effect.succeed(Number(new URL(address).port)))
    const order = (id: number) =>
      Effect.promise(async () => (await fetch(`http://127.0.0.1:${port}/order/${id}`)).text()).pipe(
        Effect.tap(() => fibers.count),
        Effect.tap(() => Effect.scoped(shutdown.holdOpen(`order ${id}`)))
      )
    return {
      port,
      written,
      seen,
      place: (count) =>
        Effect.map(
          Effect.forEach(Array.from({ length: count }, (_, i) => i), order, { concurrency: 4 }),
          (answers) => answers.filter((answer) => answer === "accepted").length
        )
    }
  })
)

export const everything: Layer.Layer<Orders, unknown, GracefulShutdown> = Layer.provide(
  OrdersLive,
  HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true })
).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  inPhase("http"),
  Layer.provide(InboxLive),
  Layer.provide(Layer.mergeAll(
    TaskManager.layer({ name: "orders", maxRunning: 10 }),
    ResourceRegistry.layer(),
    Listeners.layer(),
    ManagedStream.layer(),
    LiveFibers.layer(),
    Deadline.Deadline.layer()
  ))
)
