/*
 * Search as you type: requests to the index are debounced, for each visitor.
 *
 * A newer key stroke answers the one before it at once.
 */
import { Effect } from "effect"
import { EventEmitter } from "node:events"
import { jitter } from "../../support/life.ts"

const cities = Array.from({ length: 400 }, (_, n) => `City ${(n * 7919) % 1000}`)
const timers = new Map<number, { readonly timer: NodeJS.Timeout; readonly skip: () => void }>()

const debounced = (visitor: number) =>
  Effect.callback<void>((resume) => {
    const before = timers.get(visitor)
    clearTimeout(before?.timer)
    before?.skip()
    const timer = setTimeout(() => {
      timers.delete(visitor)
      resume(Effect.void)
    }, 60)
    timers.set(visitor, { timer, skip: () => resume(Effect.void) })
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
