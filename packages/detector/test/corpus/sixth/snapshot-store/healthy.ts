/*
 * Accounts are kept as a snapshot and the events since then. After 25 events a new snapshot replaces the old one and the
 * events go. All accounts together are written down every now and then; the last two of these checkpoints are kept.
 *
 * Healthy: fifteen accounts, 25 events at most for each, two checkpoints.
 */
import { Effect, Schedule } from "effect"
import { jitter, part } from "../../support/life.ts"

interface State {
  balance: number
  readonly categories: Record<string, { cents: number; note: string }>
}

type Event = { readonly category: string; readonly cents: number; readonly note: string }

const apply = (state: State, { category, cents, note }: Event): State => {
  state.balance = (state.balance + cents) % 1_000_000
  state.categories[category] = { cents, note }
  return state
}

class Account {
  private snapshot: State = { balance: 0, categories: {} }
  private events: Array<Event> = []

  append(event: Event) {
    this.events.push(event)
    if (this.events.length < 25) return
    this.snapshot = this.now()
    this.events = []
  }

  now(): State {
    return this.events.reduce(apply, structuredClone(this.snapshot))
  }
}

const accounts = Array.from({ length: 15 }, () => new Account())
let checkpoints: ReadonlyArray<Buffer> = []

const book = (n: number) =>
  Effect.sleep(jitter(4)).pipe(
    Effect.andThen(Effect.sync(() => {
      const account = accounts[Math.floor(Math.random() * 15)]
      account?.append({ category: `category-${n % 6}`, cents: n % 997, note: `booking ${n} `.repeat(8) })
      return account?.now().balance
    }))
  )

const checkpoint = Effect.sync(() => {
  const text = JSON.stringify(accounts.map((account) => account.now()))
  checkpoints = [Buffer.from(text), ...checkpoints.slice(0, 1)]
})

Effect.runFork(Effect.gen(function*() {
  yield* Effect.forkChild(Effect.repeat(checkpoint, Schedule.spaced(part(0.035))))
  for (let n = 0;; n++) {
    yield* Effect.forkChild(book(n))
    yield* Effect.sleep(jitter(10))
  }
}))
