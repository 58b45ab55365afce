/*
 * Tickets wait in a heap for one of three clerks, the most urgent first. There are always too many of them: when sixty
 * wait, the least urgent one is refused. The clerks have a break now and then.
 *
 * Healthy: a ticket is answered or refused, sixty wait at most, and nobody waits for a ticket that is not in the heap.
 */
import { Deferred, Effect, Latch } from "effect"
import { jitter, part } from "../../support/life.ts"

interface Ticket {
  readonly urgency: number
  readonly text: string
  readonly answer: Deferred.Deferred<string, "refused">
}

class Heap {
  private readonly items: Array<Ticket> = []

  get size() {
    return this.items.length
  }

  push(ticket: Ticket) {
    this.items.push(ticket)
    for (let at = this.items.length - 1; at > 0;) {
      const parent = (at - 1) >> 1
      if (!this.swapUnless(parent, at)) break
      at = parent
    }
  }

  pop(): Ticket | undefined {
    const first = this.items[0]
    const last = this.items.pop()
    if (first === undefined || last === undefined || this.items.length === 0) return first
    this.items[0] = last
    for (let at = 0;;) {
      const left = 2 * at + 1
      const right = (this.items[left + 1]?.urgency ?? -1) > (this.items[left]?.urgency ?? -1) ? left + 1 : left
      if (!this.swapUnless(at, right)) return first
      at = right
    }
  }

  dropLeast(): Ticket | undefined {
    const least = this.items.reduce((a, b) => b.urgency < a.urgency ? b : a)
    const rest = this.items.filter((ticket) => ticket !== least)
    this.items.length = 0
    for (const ticket of rest) this.push(ticket)
    return least
  }

  private swapUnless(above: number, below: number) {
    const a = this.items[above]
    const b = this.items[below]
    if (a === undefined || b === undefined || a.urgency >= b.urgency) return false
    this.items[above] = b
    this.items[below] = a
    return true
  }
}

const heap = new Heap()

const ask = Effect.fn("Desk.ask")(function*(n: number) {
  const answer = yield* Deferred.make<string, "refused">()
  heap.push({ urgency: Math.random(), text: `ticket ${n}: ${"please ".repeat(20)}`, answer })
  const refused = heap.size > 60 ? heap.dropLeast() : undefined
  if (refused) yield* Deferred.fail(refused.answer, "refused")
  return yield* Effect.orElseSucceed(Deferred.await(answer), () => "sorry")
})

const clerk = Effect.fn("Desk.clerk")(function*(open: Latch.Latch) {
  while (true) {
    yield* Latch.whenOpen(open, Effect.void)
    const ticket = heap.pop()
    yield* Effect.sleep(jitter(60))
    if (ticket) yield* Deferred.succeed(ticket.answer, ticket.text.toUpperCase())
  }
})

Effect.runFork(Effect.gen(function*() {
  const open = yield* Latch.make(true)
  for (let n = 0; n < 3; n++) yield* Effect.forkChild(clerk(open))
  yield* Effect.forkChild(Effect.forever(Effect.gen(function*() {
    yield* Effect.sleep(jitter(part(0.05)))
    yield* Latch.close(open)
    yield* Effect.sleep(jitter(part(0.006)))
    yield* Latch.open(open)
  })))
  for (let n = 0;; n++) {
    yield* Effect.forkChild(ask(n))
    yield* Effect.sleep(jitter(15))
  }
}))
