// A shop where users log in and are sent invoices, fifty a second of each.
// Leak, twice: neither sessions nor invoices are ever dropped.
import { Effect } from "effect"
import "../../support/life.ts"

const sessions = new Map()
const invoices = []

const login = (n) => {
  sessions.set(n, Array.from({ length: 40 }, (_, k) => `right ${n} ${k} ${Math.random()}`))
}

const bill = (n) => {
  invoices.push({ n, lines: Array.from({ length: 30 }, (_, k) => `line ${n} ${k} ${Math.random()}`) })
}

const users = Effect.gen(function*() {
  for (let n = 0;; n++) {
    login(n)
    yield* Effect.sleep(20)
  }
})

const shop = Effect.gen(function*() {
  for (let n = 0;; n++) {
    bill(n)
    yield* Effect.sleep(20)
  }
})

Effect.runFork(Effect.all([users, shop], { concurrency: 2 }))
