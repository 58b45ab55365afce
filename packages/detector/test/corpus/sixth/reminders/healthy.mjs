/*
 * People ask to be reminded of something. A reminder waits in a fiber of its own until it is due, or is cancelled.
 *
 * Healthy: every reminder is due within a seventh of the run, and as many are due as are made.
 */
import { Effect, Fiber } from "effect"
import { jitter, part } from "../../support/life.ts"

const waiting = new Map()
const outbox = []

const remind = Effect.fn("Reminders.remind")(function*({ id, text, wait }) {
  yield* Effect.sleep(wait)
  outbox.push(`${id}: ${text}`)
  if (outbox.length > 50) outbox.splice(0, outbox.length - 50)
}, (effect, { id }) => Effect.ensuring(effect, Effect.sync(() => waiting.delete(id))))

const make = (id) => {
  const wait = Math.random() < 0.7 ? jitter(part(0.09)) : jitter(600)
  const reminder = { id, wait, text: `do not forget ${id % 31} `.repeat(6) }
  const fiber = Effect.runFork(remind(reminder))
  waiting.set(id, { reminder, fiber, created: new Date() })
}

const cancel = Effect.fn("Reminders.cancel")(function*(id) {
  const entry = waiting.get(id)
  if (entry) yield* Fiber.interrupt(entry.fiber)
})

Effect.runFork(Effect.gen(function*() {
  for (let id = 0;; id++) {
    make(id)
    if (id % 5 === 0) yield* cancel(id - 8)
    if (id % 250 === 0) { for (let n = 0; n < 20; n++) make(`${id}/${n}`) }
    yield* Effect.sleep(jitter(38))
  }
}))
