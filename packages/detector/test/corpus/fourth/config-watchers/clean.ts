/**
 * A gateway for many tenants. What a tenant has configured is watched from the first request on, by one fiber a tenant.
 *
 * The twin of leak.ts: watchers are known by their tenant.
 */
import { Effect, FiberMap, Schedule } from "effect"
import { jitter } from "../../support/life.ts"

interface Settings {
  readonly tag: string
  readonly routes: ReadonlyArray<string>
}

const tenants = Array.from({ length: 40 }, (_, n) => `tenant-${n}`)
const pages = new Map<string, string>()

const settingsOf = (tenant: string): Settings => ({
  tag: tenant === "tenant-11" ? Math.random().toString(36) : "v1",
  routes: Array.from({ length: 24 }, (_, n) => `/${tenant}/${n}/${Math.floor(Math.random() * 1000)}`)
})

const watch = (tenant: string, settings: Settings) => {
  let current = settings
  const poll = Effect.sync(() => {
    current = { ...settingsOf(tenant), tag: current.tag }
    return current.routes.length
  })
  return Effect.raceFirst(
    Effect.repeat(poll, Schedule.jittered(Schedule.spaced("4 seconds"))),
    Effect.never
  ).pipe(Effect.withSpan("gateway.watch", { attributes: { tenant } }))
}

const serve = (watchers: FiberMap.FiberMap<string>, tenant: string, path: string) =>
  Effect.gen(function*() {
    const settings = settingsOf(tenant)
    yield* FiberMap.run(watchers, tenant, watch(tenant, settings), { onlyIfMissing: true })
    const page = pages.get(path) ?? settings.routes.map((route) => `<a href="${route}">${path}</a>`).join("\n")
    pages.delete(path)
    pages.set(path, page)
    if (pages.size > 200) pages.delete(pages.keys().next().value!)
    yield* Effect.sleep(jitter(8))
    return page.length
  }).pipe(Effect.withSpan("gateway.serve"))

const report = Effect.sync(() => JSON.stringify(Array.from({ length: 5000 }, (_, n) => ({ n, at: Date.now() }))).length)

const main = Effect.gen(function*() {
  const watchers = yield* FiberMap.make<string>()
  yield* Effect.forEach(
    Array.from({ length: 40 }),
    () => Effect.forkChild(Effect.repeat(Effect.void, Schedule.spaced("700 millis"))),
    { discard: true }
  )
  yield* Effect.forkChild(Effect.repeat(report, Schedule.spaced("900 millis")))
  for (let n = 0;; n++) {
    const tenant = tenants[Math.floor(Math.random() * tenants.length)]!
    yield* Effect.forkChild(serve(watchers, tenant, `/page/${Math.floor(Math.random() * 5000)}`))
    yield* Effect.sleep(jitter(10))
  }
})

Effect.runFork(Effect.scoped(main))
