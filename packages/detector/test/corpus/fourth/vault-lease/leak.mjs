// Secrets are leased from a vault, and the lease renewed about once a second: sooner when the last renewals were slow.
// The leak is slow: the schedule looks at the last five renewals, and remembers all of them.
import { Duration, Effect, Schedule } from "effect"
import { jitter } from "../../support/life.ts"

const secrets = new Map()

const lease = Effect.gen(function*() {
  const started = performance.now()
  yield* Effect.sleep(jitter(20))
  const leased = Array.from({ length: 20 }, (_, n) => [`secret-${n}`, Math.random().toString(36).slice(2)])
  for (const [name, value] of leased) secrets.set(name, value)
  return { took: performance.now() - started, leased }
})

Effect.runFork(Effect.repeat(
  lease,
  Schedule.fromStep(Effect.sync(() => {
    const renewals = []
    return (now, renewal) => {
      renewals.push({ now, renewal })
      const slow = renewals.slice(-5).filter(({ renewal }) => renewal.took > 25)
      return Effect.succeed([now, Duration.millis(1000 - 40 * slow.length)])
    }
  }))
))

let n = 0
setInterval(() => {
  Effect.runFork(Effect.gen(function*() {
    yield* Effect.sleep(3)
    return JSON.stringify({ n: ++n, signed: secrets.get(`secret-${n % 20}`), body: "x".repeat(500) }).length
  }))
}, 12)
