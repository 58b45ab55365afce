/** Async generators that a test has begun to iterate and neither finished nor returned: their `finally` has not run. */
import { generatorState, placeOf } from "../places.ts"
import { renderPlace } from "../suspendedAt.ts"
import type { Leak, Probe, Watch } from "./Watch.ts"
import { owner } from "./Watch.ts"

interface Generators {
  readonly begun: Set<object>
}

const generatorsOf = (watch: Watch): Generators => watch.of(generators, (): Generators => ({ begun: new Set() }))

const asyncGeneratorPrototype: { next: (this: object, ...args: Array<unknown>) => unknown } = Object.getPrototypeOf(
  (async function*() {}).prototype
)
const maxBegun = 1000

export const generators: Probe = {
  install: () => {
    const { next } = asyncGeneratorPrototype
    const wrapped = function(this: object, ...args: Array<unknown>): unknown {
      const watch = owner()
      if (watch !== undefined) {
        const { begun } = generatorsOf(watch)
        begun.add(this)
        if (begun.size > maxBegun) {
          for (const each of begun) if (generatorState(each) === "closed") begun.delete(each)
        }
      }
      return next.apply(this, args)
    }
    asyncGeneratorPrototype.next = wrapped
    return () => {
      if (asyncGeneratorPrototype.next === wrapped) asyncGeneratorPrototype.next = next
    }
  },

  left: (watch) => {
    const leaks: Array<Leak> = []
    for (const generator of generatorsOf(watch).begun) {
      const state = generatorState(generator)
      if (state === "closed" || state === undefined) continue
      const place = placeOf(generator)
      leaks.push({
        kind: "generator",
        what: "begun and never returned, its finally has not run",
        at: place,
        site: place === undefined ? [] : [`is suspended at ${renderPlace(place)}`]
      })
    }
    return leaks
  }
}
