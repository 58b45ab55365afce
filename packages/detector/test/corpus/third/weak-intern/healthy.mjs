// User agents are interned: equal headers share one parsed object for as long as somebody holds it.
// Healthy: the table holds WeakRefs, and a FinalizationRegistry sweeps the keys of those that were collected.
import { Effect, Schedule } from "effect"
import { part } from "../../support/life.ts"

const interned = new Map()
const registry = new FinalizationRegistry((key) => {
  if (interned.get(key)?.deref() === undefined) interned.delete(key)
})

const parse = (header) => ({ header, parts: header.split(/[ /;()]+/).map((text, n) => ({ n, text })) })

const intern = (header) => {
  const known = interned.get(header)?.deref()
  if (known !== undefined) return known
  const agent = parse(header)
  interned.set(header, new WeakRef(agent))
  registry.register(agent, header)
  return agent
}

let n = 0
const header = () => {
  const minor = ++n % 3 === 0 ? n : n % 20
  return `Mozilla/5.0 (X11; Linux x86_64; rv:${minor}.0) Gecko/2010${minor} Firefox/${minor}.0 (build ${minor}; like it)`
}

const visit = Effect.suspend(() => {
  const agent = intern(header())
  return Effect.sleep(part(0.04)).pipe(Effect.map(() => agent.parts.length), Effect.forkDetach)
})

Effect.runFork(Effect.repeat(visit, Schedule.jittered(Schedule.spaced(9))))
