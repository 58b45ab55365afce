// Suggestions for search terms, which are made when a term is first asked for. Terms follow a power law: the same ones
// are asked for again and again, and there is no end of rare ones.
// Leak: the suggestions for each term are kept for ever. New ones come ever more rarely, and never stop.
import { Effect } from "effect"
import "../../support/life.ts"

const suggestions = new Map()

const suggest = (term) => {
  let found = suggestions.get(term)
  if (found === undefined) {
    suggestions.set(term, found = Array.from({ length: 25 }, (_, n) => `${term} ${n} ${Math.random()}`))
  }
  return found
}

const term = () => Math.floor(Math.random() ** -2.2)

Effect.runFork(Effect.gen(function*() {
  while (true) {
    for (let i = 0; i < 3; i++) suggest(`t${term()}`)
    yield* Effect.sleep(4)
  }
}))
