/**
 * A queue of waiting fibers: first come, first served.
 *
 * A wake-up is not a promise. A woken fiber keeps its place until it has proceeded, and checks the condition again when it runs;
 * an interrupted fiber leaves its place and passes its wake-up on. Effect's own semaphore uses the same protocol. Here the caller
 * defines the condition and the action after it: both happen in one step, so nothing can be lost between them.
 */
import * as Effect from "effect/Effect"
import type * as Scheduler from "effect/Scheduler"

interface Waiter {
  resume: ((effect: Effect.Effect<void>) => void) | undefined
}

export class WaitQueue {
  readonly #ready: () => boolean
  readonly #dispatcher: Scheduler.SchedulerDispatcher
  readonly #waiters = new Set<Waiter>()
  #waking = false

  /** `ready`: whether the first fiber in line may proceed now. */
  constructor(dispatcher: Scheduler.SchedulerDispatcher, ready: () => boolean) {
    this.#dispatcher = dispatcher
    this.#ready = ready
  }

  get size(): number {
    return this.#waiters.size
  }

  /** Waits in line, and runs `proceed` in the same step in which the fiber's turn has come. */
  wait<A, E, R>(proceed: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const waiter: Waiter = { resume: undefined }
      const isNext = (): boolean => this.#first() === waiter && this.#ready()
      const turn = Effect.callback<void>((resume) => {
        // The fiber may have been parked since it was woken last.
        if (isNext()) resume(Effect.void)
        else waiter.resume = resume
      })
      const loop: Effect.Effect<A, E, R> = Effect.flatMap(turn, () => {
        if (!isNext()) return loop
        this.#waiters.delete(waiter)
        const proceeding = proceed()
        this.wake()
        return proceeding
      })
      // The place is taken inside the effect whose exit releases it: a fiber may be interrupted before any operation.
      return Effect.onExitPrimitive(
        Effect.suspend(() => {
          this.#waiters.add(waiter)
          return loop
        }),
        () => {
          if (this.#waiters.delete(waiter)) this.wake()
          return undefined
        }
      )
    })
  }

  /** Lets the fibers proceed that may, soon. */
  wake(): void {
    if (this.#waking || this.#waiters.size === 0 || !this.#ready()) return
    this.#waking = true
    this.#dispatcher.scheduleTask(this.#run, 0)
  }

  readonly #run = (): void => {
    let first = this.#first()
    while (first?.resume !== undefined && this.#ready()) {
      const { resume } = first
      first.resume = undefined
      resume(Effect.void)
      // If it was parked before it could proceed, it is still the first, and wakes the next fiber itself.
      first = this.#first()
    }
    this.#waking = false
  }

  #first(): Waiter | undefined {
    for (const waiter of this.#waiters) return waiter
    return undefined
  }
}
