/*
 * There are 160 pictures. The forty that are wanted most often are kept; others are only referred to weakly, and are
 * drawn again when they have been collected. What is known about a picture hangs on it in a WeakMap.
 *
 * Healthy: an entry for each picture at most, and a registry takes away those of collected ones.
 */
import { Effect } from "effect"
import { jitter } from "../../support/life.ts"

const limit = 40
const kept = new Map()
const weak = new Map()
const facts = new WeakMap()
const registry = new FinalizationRegistry((id) => {
  if (weak.get(id)?.deref() === undefined) weak.delete(id)
})

const paint = (id) => {
  const picture = { id, rows: Array.from({ length: 60 }, (_, y) => `row ${y} of ${id} `.repeat(3)) }
  facts.set(picture, { painted: performance.now(), colours: [id % 7, id % 11] })
  weak.set(id, new WeakRef(picture))
  registry.register(picture, id)
  return picture
}

const keep = (id, picture) => {
  const entry = kept.get(id)
  if (entry) return void entry.uses++
  if (kept.size >= limit) {
    let least
    for (const [other, { uses }] of kept) if (least === undefined || uses < kept.get(least).uses) least = other
    kept.delete(least)
    // those that were popular once are not so for ever
    for (const entry of kept.values()) entry.uses = Math.floor(entry.uses * 0.99)
  }
  kept.set(id, { picture, uses: 1 })
}

const show = (id) =>
  Effect.gen(function*() {
    const known = kept.get(id)?.picture ?? weak.get(id)?.deref()
    if (known === undefined) yield* Effect.sleep(jitter(12))
    const picture = known ?? weak.get(id)?.deref() ?? paint(id)
    keep(id, picture)
    yield* Effect.sleep(jitter(5))
    return picture.rows.length + facts.get(picture).colours.length
  })

Effect.runFork(Effect.gen(function*() {
  for (let n = 0;; n++) {
    const id = n % 3 === 0 ? n % 160 : Math.floor(Math.random() ** 2 * 160)
    yield* Effect.forkChild(show(id))
    yield* Effect.sleep(jitter(11))
  }
}))
