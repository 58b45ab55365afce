import { Effect, ManagedRuntime } from "effect"
import { parentPort } from "node:worker_threads"
import { DatabasePool, PoolMap } from "./src/01_effect/05_resources/30_layer-map.ts"

const runtime = ManagedRuntime.make(PoolMap.layer)

const visit = (tenant) =>
  DatabasePool.pipe(
    Effect.flatMap((pool) => pool.query("SELECT id, email FROM users ORDER BY id")),
    Effect.provide(PoolMap.get(tenant)),
    Effect.scoped
  )

for (let i = 0; i < 20_000; i++) {
  const users = await runtime.runPromise(visit(`tenant-${i}`))
  if (i % 100 === 0) parentPort.postMessage(users.map(({ email }) => email).join(" "))
  await new Promise((resolve) => setTimeout(resolve, 50))
}
