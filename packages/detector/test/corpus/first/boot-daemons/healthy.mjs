// A gateway that starts one watcher for each of its 300 upstreams while it boots, and none later. Healthy: the watchers
// live as long as the process does, as they should.
import { Effect, Schedule } from "effect"
import { jitter, part } from "../../support/life.ts"

const upstreams = Array.from({ length: 300 }, (_, n) => ({ name: `upstream-${n}`, latencies: [] }))

const probe = (upstream) =>
  Effect.sync(() => {
    upstream.latencies.push(Math.random())
    if (upstream.latencies.length > 20) upstream.latencies.shift()
  })

const watch = (upstream) => Effect.repeat(probe(upstream), Schedule.spaced(jitter(2000)))

const forward = (n) =>
  Effect.gen(function*() {
    const upstream = upstreams[n % upstreams.length]
    yield* Effect.sleep(jitter(10))
    return JSON.stringify({ upstream: upstream.name, body: Array.from({ length: 20 }, Math.random) }).length
  })

const boot = Effect.gen(function*() {
  for (const upstream of upstreams) {
    yield* Effect.forkDetach(watch(upstream))
    yield* Effect.sleep(jitter(part(0.1) / upstreams.length))
  }
})

const traffic = (n) => {
  Effect.runFork(forward(n))
  setTimeout(traffic, jitter(10), n + 1)
}

Effect.runFork(boot)
traffic(1)
