// A catalogue of 8000 products is loaded at the start. From then on a refresher goes round, some forty products a
// second, and replaces each by what the supplier says of it now. Beside it, pages of the catalogue are answered.
// Healthy: there are 8000 products at any time. The refresher needs about three minutes to get around once.
import { Effect } from "effect"
import "../../support/life.ts"

const catalogue = new Map()

const parse = (id) => ({
  id,
  title: `product ${id}`,
  prices: Array.from({ length: 20 }, (_, n) => `${n}-${Math.random()}`)
})

const boot = () => {
  for (let id = 0; id < 8000; id++) catalogue.set(id, parse(id))
}

const ask = Effect.fn("Supplier.ask")(function*(id) {
  yield* Effect.sleep(Math.random() * 5)
  return { id, title: `product ${id}`, prices: Array.from({ length: 20 }, (_, n) => `${n}-${Math.random()}`) }
})

const refresher = Effect.fn("refresher")(function*() {
  for (let id = 0;; id = (id + 1) % 8000) {
    catalogue.set(id, yield* ask(id))
    yield* Effect.sleep(18)
  }
})

const answer = Effect.fn("answer")(function*() {
  const page = Array.from({ length: 500 + Math.random() * 4000 }, (_, n) => ({ ...catalogue.get(n % 8000), n }))
  yield* Effect.sleep(50 + Math.random() * 1200)
  return page.length
})

boot()

Effect.runFork(Effect.all([
  refresher(),
  Effect.gen(function*() {
    while (true) {
      yield* Effect.forkDetach(answer())
      yield* Effect.sleep(10 + Math.random() * 20)
    }
  })
], { concurrency: 2 }))
