import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/** A clock that begins at 0 and advances from timer to timer on request. */
export class VirtualClock implements Clock.Clock {
  /** Milliseconds. */
  now = 0
  // The next timer is last; of timers with equal times, the one set first is nearer to the end.
  readonly #timers: Array<Timer> = []

  get pending(): number {
    return this.#timers.length
  }

  /** When the next timer is due. */
  get due(): number {
    return this.#timers.at(-1)?.at ?? Infinity
  }

  /** Advances to the next timer and fires it; `choose` picks one of several that are due at the same time. */
  tick(choose: (n: number) => number): void {
    const timers = this.#timers
    const { due } = this
    this.now = Math.max(this.now, due)
    let equal = 1
    while (equal < timers.length && timers[timers.length - 1 - equal]!.at === due) equal++
    const [timer] = timers.splice(timers.length - 1 - choose(equal), 1)
    timer!.fire()
  }

  clear(): void {
    this.#timers.length = 0
  }

  currentTimeMillisUnsafe(): number {
    return this.now
  }
  currentTimeNanosUnsafe(): bigint {
    return BigInt(Math.round(this.now * 1e6))
  }
  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }
  get currentTimeMillis(): Effect.Effect<number> {
    return Effect.sync(() => this.now)
  }
  get currentTimeNanos(): Effect.Effect<bigint> {
    return Effect.sync(() => this.currentTimeNanosUnsafe())
  }
  get monotonicTimeNanos(): Effect.Effect<bigint> {
    return Effect.sync(() => this.currentTimeNanosUnsafe())
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const ms = Duration.toMillis(duration)
    if (ms <= 0) return Effect.yieldNow
    if (!Number.isFinite(ms)) return Effect.never
    return Effect.callback<void>((resume) => {
      const timer: Timer = { at: this.now + ms, fire: () => resume(Effect.void) }
      let at = this.#timers.length
      while (at > 0 && this.#timers[at - 1]!.at <= timer.at) at--
      this.#timers.splice(at, 0, timer)
      return Effect.sync(() => {
        const index = this.#timers.indexOf(timer)
        if (index >= 0) this.#timers.splice(index, 1)
      })
    })
  }
}
