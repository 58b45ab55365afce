/*
 * Traffic swings between 10 and 150 requests a second, three days in a run; what a visitor has looked at is kept for a
 * twentieth of the run.
 *
 * Why it is healthy: each evening brings back what the morning took.
 */
import { Effect } from "effect"
import { elapsed, part } from "../../support/life.ts"

const visitors = new Map()

const rate = () => 80 - 70 * Math.cos(elapsed() * 3 * 2 * Math.PI)

const visit = (id) =>
  Effect.sync(() => {
    visitors.set(id, Array.from({ length: 70 }, (_, n) => ({ article: id + n, seconds: Math.random() })))
  }).pipe(
    Effect.andThen(Effect.sleep(part(0.05))),
    Effect.ensuring(Effect.sync(() => visitors.delete(id)))
  )

let ids = 0
const arrive = () => {
  Effect.runFork(visit(++ids))
  setTimeout(arrive, (1000 / rate()) * (0.5 + Math.random()))
}

arrive()
