/*
 * The configuration is reloaded a few times in a run; a poller then looks after the new one.
 *
 * What is wrong, slowly: the poller of the configuration before goes on as well.
 */
import { Effect, Schedule } from "effect"
import { part } from "../../support/life.ts"

const state = { version: 0, polls: 0 }

const poll = (version) =>
  Effect.sync(() => {
    state.polls += version
  }).pipe(Effect.repeat(Schedule.spaced("1 second")))

const reload = () => {
  state.poller = Effect.runFork(poll(++state.version))
}

const request = () =>
  Effect.runFork(
    Effect.delay(
      Effect.sync(() => JSON.stringify(Array.from({ length: 80 }, Math.random)).length),
      3 + Math.random() * 5
    )
  )

reload()
setInterval(reload, part(1 / 7))
setInterval(request, 11)
