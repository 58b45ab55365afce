/*
 * Search as you type: requests to the index are debounced, for each visitor.
 *
 * Leak: the timer of an older key stroke is cleared, and with it goes the only one who could have resumed its fiber.
 */
import { Effect } from "effect"
import { EventEmitter } from "node:events"
import { jitter } from "../../support/life.ts"

const cities = Array.from({ length: 400 }, (_, n) => `City ${(n * 7919) % 1000}`)
const timers = new Map<number, NodeJS.Timeout>()

const debounced = (visitor: number) =>
  Effect.callback<void>((resume) => {
    clearTimeout(timers.get(visitor))
    timers.set(
      visitor,
      setTimeout(() => {
        timers.delete(visitor)
        resume(Effect.void)
      }, 60)
    )
  })

const search = (visitor: number, typed: string) =>
  debounced(visitor).pipe(
    Effect.map(() => cities.filter((city) => city.includes(typed))),
    Effect.delay(2)
  )

const keyboard = new EventEmitter()
keyboard.on("stroke", (visitor: number, typed: string) => {
  Effect.runPromise(search(visitor, typed)).then((found) => keyboard.emit("found", found.length))
})

const strike = () => {
  keyboard.emit("stroke", Math.floor(Math.random() * 50), String(Math.floor(Math.random() * 100)))
  setTimeout(strike, jitter(10))
}
strike()
