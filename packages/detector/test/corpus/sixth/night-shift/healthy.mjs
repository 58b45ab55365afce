/*
 * A run has seven days, with six times as much to do at noon as at midnight. Forecasts are cached for a while; who wants
 * one that is being made waits for it.
 *
 * Healthy: one day is like the other, the cache has 150 entries, and a visitor stays for a fortieth of the run at most.
 */
import { Cache, Duration, Effect } from "effect"
import { elapsed, jitter, part } from "../../support/life.ts"

const forecast = Effect.fn("Forecasts.make")(function*(place) {
  yield* Effect.sleep(jitter(80))
  return {
    place,
    hours: Array.from(
      { length: 72 },
      (_, hour) => ({ hour, degrees: 10 + 8 * Math.sin(hour / 4), rain: Math.random() })
    )
  }
})

const visit = Effect.fn("visit")(function*(forecasts) {
  const notes = []
  for (let page = 0; page < 4; page++) {
    const { hours, place } = yield* Cache.get(forecasts, `place-${Math.floor(Math.random() ** 2 * 400)}`)
    notes.push(`${place}: ${hours.filter(({ rain }) => rain > 0.8).map(({ hour }) => hour).join()}`)
    yield* Effect.sleep(jitter(part(0.004)))
  }
  return notes.join("\n")
})

Effect.runFork(Effect.gen(function*() {
  const forecasts = yield* Cache.make({
    capacity: 150,
    lookup: forecast,
    timeToLive: Duration.millis(part(0.04))
  })
  while (true) {
    const daylight = 0.5 - 0.5 * Math.cos(elapsed() * 7 * 2 * Math.PI)
    yield* Effect.forkChild(visit(forecasts))
    yield* Effect.sleep(jitter(1000 / (6 + 30 * daylight)))
  }
}))
