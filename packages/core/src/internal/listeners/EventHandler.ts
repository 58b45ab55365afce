/** Runs a handler for each event: a limited number of effects run concurrently, the others wait in a bounded buffer. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { unbounded } from "../../Deadline.ts"
import { reportFailure, runDetached } from "../reportFailure.ts"

type Waiting = Effect.Effect<unknown, unknown, Scope.Scope>

export interface HandlerOptions {
  readonly label: string
  readonly handle: (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown, never> | void
  /** The context of the caller that added the listener. */
  readonly context: Context.Context<never>
  readonly concurrency: number
  readonly buffer: number
  readonly overflow: "sliding" | "dropping"
  readonly onDrop: () => void
  readonly onFailure: () => void
}

export class EventHandler {
  readonly #options: HandlerOptions
  readonly #running = new Set<Fiber.Fiber<unknown, unknown>>()
  readonly #waiting: Array<Waiting> = []
  #starting = 0
  #closedBy: Fiber.Fiber<unknown, unknown> | undefined

  constructor(options: HandlerOptions) {
    this.#options = options
  }

  readonly emit = (...args: ReadonlyArray<unknown>): void => {
    // An emitter also calls listeners that an earlier listener of the same event has removed.
    if (this.#closedBy !== undefined) return
    const { buffer, handle, onDrop, overflow } = this.#options
    let effect: Waiting | void
    try {
      effect = handle(...args)
    } catch (error) {
      return this.#ended(Exit.die(error))
    }
    if (!Effect.isEffect(effect)) return
    if (this.#waiting.length === 0 && this.#hasRoom()) {
      this.#start(effect)
      return this.#resume()
    }
    if (this.#waiting.length >= buffer) {
      onDrop()
      if (overflow === "dropping" || buffer === 0) return
      this.#waiting.shift()
    }
    this.#waiting.push(effect)
  }

  /**
   * Interrupts running effects and waits for their end. It does not wait for the effect that calls it: that would wait for
   * itself, and its scope has more to close.
   */
  readonly close: Effect.Effect<void> = Effect.withFiber((self) => {
    this.#closedBy = self
    this.#waiting.length = 0
    const others = [...this.#running].filter((fiber) => fiber !== self)
    return others.length === 0 ? Effect.void : Fiber.interruptAll(others)
  })

  #hasRoom(): boolean {
    return this.#running.size + this.#starting < this.#options.concurrency
  }

  #start(effect: Waiting): void {
    // Events emitted by the first steps of the effect must find it running.
    this.#starting++
    // The deadline of the caller that added the listener does not apply to a later event.
    const fiber = Effect.runForkWith(this.#options.context)(unbounded(Effect.scoped(effect)))
    this.#starting--
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.#ended(exit)
    this.#running.add(fiber)
    fiber.addObserver((late) => {
      this.#running.delete(fiber)
      this.#ended(late)
      this.#resume()
    })
    // Its first steps may have closed the scope.
    if (this.#closedBy !== undefined && this.#closedBy !== fiber) fiber.interruptUnsafe()
  }

  #resume(): void {
    while (this.#waiting.length > 0 && this.#hasRoom()) this.#start(this.#waiting.shift()!)
  }

  #ended(exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return
    this.#options.onFailure()
    runDetached(this.#options.context, reportFailure(exit.cause, this.#options.label))
  }
}
