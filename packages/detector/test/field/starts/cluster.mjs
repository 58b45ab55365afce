// Drives the entities of effect's documentation in the cluster for one process that it exports for tests.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Counter, TestLayer } from "./src/80_cluster/10_entities.ts"

const requests = 1200

const drive = Effect.gen(function*() {
  const clientFor = yield* Counter.client
  for (let i = 0; i < requests; i++) {
    const count = yield* clientFor(`counter-${i % 20}`).Increment({ amount: 1 })
    if (i % 100 === 0) yield* Console.log(`request ${i}: ${count}`)
    yield* Effect.sleep("40 millis")
  }
  yield* Console.log("all requests are answered")
  yield* Effect.never
})

NodeRuntime.runMain(Effect.provide(drive, TestLayer))
