// Requests look up profiles in a segmented LRU: new ones are on probation, those that are asked for again are protected
// (4800 at the most), and the oldest on probation has to leave. Nearly all profiles are asked for once, one in twelve
// comes back a moment later.
// Healthy: there are 6000 profiles of the same size from the start. What is protected takes the place of others.
import { Effect } from "effect"
import "../../support/life.ts"

const capacity = 6000
const most = 4800
const probation = new Map()
const protectedOnes = new Map()

const load = (id) => ({
  id,
  name: `user ${id}`,
  rights: Array.from({ length: 30 }, (_, n) => `${id}:${n}:${Math.random()}`)
})

const profile = (id) => {
  const kept = protectedOnes.get(id)
  if (kept !== undefined) return kept
  let entry = probation.get(id)
  if (entry !== undefined) {
    if (protectedOnes.size < most) {
      probation.delete(id)
      protectedOnes.set(id, entry)
    }
    return entry
  }
  probation.set(id, entry = load(id))
  if (probation.size + protectedOnes.size > capacity) probation.delete(probation.keys().next().value)
  return entry
}

for (let id = 0; id < capacity; id++) profile(-id)

let newest = 0

const request = Effect.gen(function*() {
  const id = Math.random() < 0.08 ? newest - Math.floor(Math.random() * 200) : ++newest
  const found = profile(id)
  const answer = Array.from({ length: 1500 + Math.random() * 6000 }, (_, n) => ({ n, id: found.id }))
  yield* Effect.sleep(50 + Math.random() * 1500)
  return answer.length
})

Effect.runFork(Effect.gen(function*() {
  while (true) {
    for (let i = 0; i < 4; i++) yield* Effect.forkDetach(request)
    yield* Effect.sleep(15 + Math.random() * 20)
  }
}))
