// A grid of numbers that changes all the time. Every six seconds a copy of it, 1 MB, is kept for an undo.
// The leak is slow to show: no copy is ever dropped, and there are five of them in half a minute.
import { Effect, Schedule } from "effect"
import "../../support/life.ts"

const history = []
const grid = Array.from({ length: 131_072 }, () => Math.random())

const snapshot = () => {
  history.push(grid.slice())
}

const change = Effect.sync(() => {
  for (let i = 0; i < 100; i++) grid[Math.floor(Math.random() * grid.length)] = Math.random()
})

Effect.runFork(Effect.all([
  Effect.repeat(change, Schedule.spaced("20 millis")),
  Effect.repeat(Effect.sync(snapshot), Schedule.spaced("6 seconds"))
], { concurrency: 2 }))
