/** One timer for several things that are due at different times. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { isDue } from "./isDue.ts"

export class Alarm {
  readonly #start: (sleep: Effect.Effect<void>) => Fiber.Fiber<void>
  readonly #now: () => number
  readonly #ring: () => number
  #fiber: Fiber.Fiber<void> | undefined
  #at = Infinity

  /** `start` runs the waiting; `ring` performs the due actions and returns the time of the next one. */
  constructor(start: (sleep: Effect.Effect<void>) => Fiber.Fiber<void>, now: () => number, ring: () => number) {
    this.#start = start
    this.#now = now
    this.#ring = ring
  }

  /** Rings at the given time, in milliseconds of `now`, or before; never synchronously. */
  arm(at: number): void {
    if (at >= this.#at) return
    this.#at = at
    this.#fiber?.interruptUnsafe()
    this.#fiber = this.#start(this.#sleep(at))
  }

  stop(): void {
    this.#at = -Infinity
    this.#fiber?.interruptUnsafe()
    this.#fiber = undefined
  }

  #sleep(at: number): Effect.Effect<void> {
    return Effect.andThen(
      Effect.suspend(() => Effect.sleep(Math.max(at - this.#now(), 0))),
      Effect.suspend(() => {
        // Timers fire up to a millisecond early.
        if (!isDue(at, this.#now())) return this.#sleep(at)
        this.#fiber = undefined
        this.#at = Infinity
        this.arm(this.#ring())
        return Effect.void
      })
    )
  }
}
