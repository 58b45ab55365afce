/** The streams that have not ended: which were requested to end, and when they are abandoned. */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import { Alarm } from "../Alarm.ts"
import { isDue } from "../isDue.ts"
import type { Phase } from "./StreamSource.ts"

/** An open stream. Times are in milliseconds of the table's clock. */
export interface StreamEntry {
  readonly label: string
  readonly source: {
    readonly items: number
    readonly isPulling: boolean
    readonly phase: Phase
    readonly failure: Cause.Cause<unknown> | undefined
    readonly close: () => void
  }
  readonly fiber: number
  readonly context: Context.Context<never>
  readonly capturedAt: Fiber.Fiber.Cache
  readonly since: number
  readonly returnTimeout: number
  status: "live" | "stuck" | "ended"
  /** The time at which its end was requested. */
  asked: number | undefined
  /** The time at which it is abandoned. */
  limit: number
  /** The time from the request until it ended or was abandoned. */
  took: number
  /** Wakes the fibers that wait for its end. */
  over: Latch.Latch | undefined
}

export interface StreamTableEvents {
  /** It has ended, and its clean-up had failed. */
  readonly onFailure: (entry: StreamEntry, cause: Cause.Cause<unknown>) => void
  readonly onStuck: (entry: StreamEntry) => void
  /** It was stuck, and has ended after all. */
  readonly onLate: (entry: StreamEntry, took: number) => void
}

export class StreamTable {
  readonly now: () => number
  readonly counts = { opened: 0, failed: 0, notFinalized: 0, stuck: 0 }
  /** No stream is added after the table is closed. */
  closed = false
  readonly #events: StreamTableEvents
  readonly #entries = new Set<StreamEntry>()
  readonly #closing = new Set<StreamEntry>()
  readonly #alarm: Alarm

  constructor(
    start: (sleep: Effect.Effect<void>) => Fiber.Fiber<void>,
    now: () => number,
    events: StreamTableEvents
  ) {
    this.now = now
    this.#events = events
    this.#alarm = new Alarm(start, now, () => this.#giveUpDue())
  }

  get size(): number {
    return this.#entries.size
  }

  /** Oldest first. */
  get all(): ReadonlyArray<StreamEntry> {
    return [...this.#entries]
  }

  add(entry: StreamEntry): void {
    this.counts.opened++
    this.#entries.add(entry)
  }

  ended(entry: StreamEntry): void {
    const wasStuck = entry.status === "stuck"
    entry.status = "ended"
    this.#entries.delete(entry)
    this.#closing.delete(entry)
    if (entry.asked === undefined) return
    const took = this.now() - entry.asked
    if (wasStuck) {
      this.counts.stuck--
      this.#events.onLate(entry, took)
    } else entry.took = took
    this.#tellFailure(entry)
    entry.over?.openUnsafe()
  }

  /** Requests the end by a time, unless it has ended or was abandoned. */
  ask(entry: StreamEntry, time: number, last: number): void {
    const isFirst = entry.asked === undefined
    const hadEnded = entry.status === "ended"
    entry.asked ??= time
    if (entry.status === "live") {
      entry.limit = Math.min(entry.limit, time + entry.returnTimeout, last)
      this.#closing.add(entry)
    }
    if (isFirst) entry.source.close()
    if (this.#closing.has(entry)) this.#alarm.arm(entry.limit)
    // An error that arrived after the last pull must still be reported.
    else if (isFirst && hadEnded) this.#tellFailure(entry)
  }

  /** Waits until a stream that was requested to end has ended or is abandoned. */
  awaitOver(entry: StreamEntry): Effect.Effect<void> {
    return Effect.suspend(() => entry.status === "live" ? (entry.over ??= Latch.makeUnsafe()).await : Effect.void)
  }

  stop(): void {
    this.#alarm.stop()
  }

  #giveUpDue(): number {
    const now = this.now()
    let next = Infinity
    for (const entry of this.#closing) {
      if (isDue(entry.limit, now)) this.#giveUp(entry, now)
      else next = Math.min(next, entry.limit)
    }
    return next
  }

  #giveUp(entry: StreamEntry, now: number): void {
    this.#closing.delete(entry)
    entry.status = "stuck"
    entry.took = now - entry.asked!
    this.counts.stuck++
    this.counts.notFinalized++
    this.#events.onStuck(entry)
    entry.over?.openUnsafe()
  }

  #tellFailure(entry: StreamEntry): void {
    const { failure } = entry.source
    if (failure === undefined) return
    this.counts.failed++
    this.#events.onFailure(entry, failure)
  }
}
