// five nodes want a lease; whoever has it renews it, plans the work of all, and gives up after a while
// healthy: a plan is dropped with the lease, and only the last three leaders are remembered
import { Effect } from "effect"
import { jitter, part } from "../../support/life.ts"

const lease = { holder: undefined, until: 0, term: 0 }
const leaders = []

const acquire = (node) => {
  const now = performance.now()
  if (lease.holder !== undefined && lease.holder !== node && lease.until > now) return false
  if (lease.holder !== node) {
    lease.term++
    leaders.push({ node, term: lease.term, since: now })
    if (leaders.length > 3) leaders.shift()
  }
  lease.holder = node
  lease.until = now + 400
  return true
}

const plan = (node) =>
  Array.from({ length: 3000 }, (_, n) => ({ task: `task ${n} of term ${lease.term}`, worker: (n * 7 + node) % 5 }))

const lead = (node) =>
  Effect.gen(function*() {
    const until = performance.now() + jitter(part(0.05))
    let tasks = plan(node)
    while (performance.now() < until && acquire(node)) {
      const at = Math.floor(Math.random() * tasks.length)
      tasks[at] = { task: `${tasks[at].task.slice(0, 20)}, again`, worker: node }
      yield* Effect.sleep(jitter(40))
    }
    tasks = undefined
    if (lease.holder === node) lease.holder = undefined
    // it lets the others go first
    yield* Effect.sleep(jitter(part(0.02)))
  })

const node = (id) =>
  Effect.gen(function*() {
    while (true) {
      if (acquire(id)) yield* lead(id)
      yield* Effect.sleep(jitter(100))
    }
  })

Effect.runFork(Effect.forEach([0, 1, 2, 3, 4], node, { concurrency: "unbounded" }))
