/** Fibers that wait until a condition holds. When it holds, all of them continue; a notification consumes nothing. */
import * as Effect from "effect/Effect"
import type * as Scheduler from "effect/Scheduler"

export class Condition {
  readonly #dispatcher: Scheduler.SchedulerDispatcher
  readonly #checks = new Set<() => void>()
  #noticing = false

  constructor(dispatcher: Scheduler.SchedulerDispatcher) {
    this.#dispatcher = dispatcher
  }

  get isAwaited(): boolean {
    return this.#checks.size > 0
  }

  await(holds: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (holds()) return resume(Effect.void)
      const check = () => {
        if (!holds()) return
        this.#checks.delete(check)
        resume(Effect.void)
      }
      this.#checks.add(check)
      return Effect.sync(() => void this.#checks.delete(check))
    })
  }

  /** Checks the condition again, soon. */
  notice(): void {
    if (this.#noticing || this.#checks.size === 0) return
    this.#noticing = true
    this.#dispatcher.scheduleTask(() => {
      this.#noticing = false
      for (const check of this.#checks) check()
    }, 0)
  }
}
