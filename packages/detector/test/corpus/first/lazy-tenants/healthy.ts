/**
 * The services of a tenant, with a worker of its own, are built when the tenant is first seen: the last of the 80
 * tenants has come by 40 % of the run. Healthy: there are no more tenants.
 */
import { Context, Effect, Layer, LayerMap, Queue } from "effect"
import { elapsed, jitter } from "../../support/life.ts"

interface Job {
  readonly amount: number
}

class Tenant extends Context.Service<Tenant, {
  readonly submit: (job: Job) => Effect.Effect<void>
}>()("Tenant") {}

const tenantLayer = (name: string) =>
  Layer.effect(
    Tenant,
    Effect.gen(function*() {
      const jobs = yield* Queue.bounded<Job>(50)
      const settings = new Map(Array.from({ length: 200 }, (_, n) => [`${name}/setting-${n}`, n] as const))

      const worker = Effect.fn("Tenant.worker")(function*() {
        let sum = 0
        while (true) {
          const job = yield* Queue.take(jobs)
          sum += job.amount * settings.size
          yield* Effect.sleep(jitter(5))
        }
      })

      yield* Effect.forkScoped(worker())
      return { submit: (job) => Effect.asVoid(Queue.offer(jobs, job)) }
    })
  )

class Tenants extends LayerMap.Service<Tenants>()("Tenants", {
  lookup: tenantLayer,
  idleTimeToLive: "1 hour"
}) {}

const submit = Effect.fn("submit")(function*(amount: number) {
  const tenant = yield* Tenant
  yield* tenant.submit({ amount })
})

const program = Effect.gen(function*() {
  for (let n = 1;; n++) {
    const known = Math.ceil(Math.min(elapsed() / 0.4, 1) * 80)
    yield* submit(n).pipe(Effect.provide(Tenants.get(`tenant-${n % known}`)), Effect.forkChild)
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(Effect.provide(program, Tenants.layer))
