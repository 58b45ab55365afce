/**
 * The record that a program under test keeps: the acquired and released resources, and the items and their outcomes.
 *
 * **Details**
 *
 * A fake resource of a test writes into it; the lab reads it at the end of each run and reports what does not balance. The lab
 * also uses it to inject failures, see `inject` in {@link "InterruptLab"}.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Ledger } from "@fiberscope/core/testing"
 *
 * const ledger = new Ledger()
 * const program = Effect.acquireUseRelease(ledger.open("connection"), () => Effect.void, (lease) => ledger.close(lease))
 *
 * Effect.runSync(program)
 * console.log(ledger.problems()) // []
 * ```
 */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Fault } from "./Point.ts"

/**
 * One acquisition. `id` distinguishes it from others of the same name: `connection#2`.
 *
 * @category models
 */
export class Lease {
  readonly name: string
  readonly id: string
  constructor(name: string, id: string) {
    this.name = name
    this.id = id
  }
  toString(): string {
    return this.id
  }
}

/**
 * A line of the ledger: what happened, at which operation of the run, and at which millisecond of its clock.
 *
 * @category models
 */
export interface LedgerEvent {
  readonly op: number
  readonly ms: number
  readonly text: string
}

/**
 * The failure that the lab injects: the acquisition fails with it for `failingAcquire`, the release dies of it for
 * `dyingRelease`.
 *
 * @category errors
 */
export class InjectedFailure extends Data.TaggedError("InjectedFailure")<{
  readonly kind: "failingAcquire" | "dyingRelease"
  readonly name: string
}> {
  override get message(): string {
    return this.kind === "failingAcquire"
      ? `InterruptLab injected a failure into the acquisition of ${this.name}`
      : `InterruptLab injected a defect into the release of ${this.name}`
  }
}

/**
 * The position of a ledger in its run, and the failure to inject. Outside of a lab neither is known.
 *
 * @category models
 */
export interface LedgerRun {
  readonly ops: number
  readonly now: number
  readonly fault: Fault | undefined
}

type Item = string | number
type Fate = "offered" | "delivered" | "dropped" | "remaining"

interface Watch {
  readonly name: string
  readonly holds: () => boolean
}

const outside: LedgerRun = { ops: 0, now: 0, fault: undefined }

/**
 * **Details**
 *
 * `acquire`, `release` and `use` are plain functions, for `Effect.sync` and for callbacks; `open`, `close` and `resource` are the
 * same as effects. Items are conserved if each `offered` item ends as exactly one of `delivered`, `dropped` or `remaining`.
 *
 * **Gotchas**
 *
 * Write an entry in the operation that it describes: `ledger.acquire` in the same `Effect.sync` that opens the connection. An
 * entry written one operation later proves less, because an interruption can fall between the two.
 *
 * @category models
 */
export class Ledger {
  readonly #run: LedgerRun
  readonly #events: Array<LedgerEvent> = []
  readonly #leases = new Map<Lease, { released: number; usedAfter: number }>()
  readonly #named = new Map<string, number>()
  readonly #items = new Map<Item, Record<Fate, number>>()
  readonly #watches: Array<Watch> = []
  readonly #broken: Array<string> = []
  #acquired = 0
  #released = 0
  /** Whether {@link Ledger.check} has conditions to check. */
  watching = false

  constructor(run: LedgerRun = outside) {
    this.#run = run
  }

  /** The entries, oldest first. */
  get events(): ReadonlyArray<LedgerEvent> {
    return this.#events
  }

  /** The numbers of acquisitions and releases: the places where the lab can inject a failure. */
  get counts(): { readonly acquired: number; readonly released: number } {
    return { acquired: this.#acquired, released: this.#released }
  }

  /** The leases that are not released yet. */
  get held(): ReadonlyArray<Lease> {
    return [...this.#leases].filter(([, { released }]) => released === 0).map(([lease]) => lease)
  }

  acquire(name: string): Lease {
    const fault = this.#run.fault
    if (++this.#acquired === fault?.at && fault.kind === "failingAcquire") {
      this.note(`${name} fails to open`)
      throw new InjectedFailure({ kind: "failingAcquire", name })
    }
    const n = (this.#named.get(name) ?? 0) + 1
    this.#named.set(name, n)
    const lease = new Lease(name, `${name}#${n}`)
    this.#leases.set(lease, { released: 0, usedAfter: 0 })
    this.note(`+ ${lease.id}`)
    return lease
  }

  release(lease: Lease): void {
    const entry = this.#entry(lease)
    entry.released++
    this.note(`- ${lease.id}`)
    const fault = this.#run.fault
    if (++this.#released === fault?.at && fault.kind === "dyingRelease") {
      throw new InjectedFailure({ kind: "dyingRelease", name: lease.id })
    }
  }

  use(lease: Lease): void {
    const entry = this.#entry(lease)
    if (entry.released > 0) entry.usedAfter++
    this.note(`use ${lease.id}`)
  }

  /** Writes an entry that is only for the reader. */
  note(text: string): void {
    this.#events.push({ op: this.#run.ops, ms: this.#run.now, text })
  }

  offered(item: Item): void {
    this.#happened(item, "offered")
  }

  delivered(item: Item): void {
    this.#happened(item, "delivered")
  }

  dropped(item: Item): void {
    this.#happened(item, "dropped")
  }

  remaining(item: Item): void {
    this.#happened(item, "remaining")
  }

  /** Declares a condition that must hold before each operation of the run, in every fiber. */
  always(name: string, holds: () => boolean): void {
    this.#watches.push({ name, holds })
    this.watching = true
  }

  /**
   * Acquires. With `takes` the resource opens after that time and is returned one yield later, which leaves a window in which it
   * exists and no fiber owns it yet.
   */
  open(name: string, options?: { readonly takes?: Duration.Input }): Effect.Effect<Lease, InjectedFailure> {
    const now = Effect.suspend(() => {
      try {
        return Effect.succeed(this.acquire(name))
      } catch (error) {
        return error instanceof InjectedFailure ? Effect.fail(error) : Effect.die(error)
      }
    })
    if (options?.takes === undefined) return now
    return Effect.andThen(
      Effect.sleep(options.takes),
      Effect.flatMap(now, (lease) => Effect.as(Effect.yieldNow, lease))
    )
  }

  /** Releases. With `takes` it is released after that time. */
  close(lease: Lease, options?: { readonly takes?: Duration.Input }): Effect.Effect<void> {
    const now = Effect.sync(() => this.release(lease))
    const timely = options?.takes === undefined ? now : Effect.andThen(Effect.sleep(options.takes), now)
    if (this.#run.fault?.kind !== "slowRelease") return timely
    return Effect.suspend(() => {
      if (this.#run.fault?.at !== this.#released + 1) return timely
      this.note(`${lease.id} is slow to close`)
      return Effect.andThen(Effect.sleep("1 second"), timely)
    })
  }

  /** A lease until the scope closes. */
  resource(
    name: string,
    options?: { readonly opens?: Duration.Input; readonly closes?: Duration.Input }
  ): Effect.Effect<Lease, InjectedFailure, Scope.Scope> {
    return Effect.acquireRelease(
      this.open(name, options?.opens === undefined ? {} : { takes: options.opens }),
      (lease) => this.close(lease, options?.closes === undefined ? {} : { takes: options.closes })
    )
  }

  /** The violations, one line each. */
  problems(): ReadonlyArray<string> {
    const out: Array<string> = [...this.#broken]
    for (const [lease, { released, usedAfter }] of this.#leases) {
      if (released === 0) out.push(`${lease.id} was acquired and never released`)
      if (released > 1) out.push(`${lease.id} was released ${released} times`)
      if (usedAfter > 0) out.push(`${lease.id} was used after its release`)
    }
    for (const [item, fate] of this.#items) {
      const ends = fate.delivered + fate.dropped + fate.remaining
      if (fate.offered > ends) out.push(`item ${item} was offered and is lost`)
      if (fate.offered === 0) out.push(`item ${item} was never offered, but it was ${renderFate(fate)}`)
      else if (ends > fate.offered) out.push(`item ${item} was offered once, but it was ${renderFate(fate)}`)
    }
    return out
  }

  /** Checks the conditions of {@link Ledger.always}; each violation is reported once. The lab calls it before each operation. */
  check(): void {
    for (let i = this.#watches.length - 1; i >= 0; i--) {
      const { holds, name } = this.#watches[i]!
      if (holds()) continue
      this.#watches.splice(i, 1)
      this.watching = this.#watches.length > 0
      this.note(`broken: ${name}`)
      this.#broken.push(`"${name}" does not hold (before op ${this.#run.ops})`)
    }
  }

  #entry(lease: Lease): { released: number; usedAfter: number } {
    const entry = this.#leases.get(lease)
    if (entry !== undefined) return entry
    throw new Error(
      `${lease} is not a lease of this ledger. Each run has a ledger of its own: keep no lease between runs.`
    )
  }

  #happened(item: Item, fate: Fate): void {
    let fates = this.#items.get(item)
    if (fates === undefined) this.#items.set(item, fates = { offered: 0, delivered: 0, dropped: 0, remaining: 0 })
    fates[fate]++
    this.note(`${item} ${fate}`)
  }
}

const renderFate = (fate: Record<Fate, number>): string =>
  (["delivered", "dropped", "remaining"] as const)
    .filter((end) => fate[end] > 0)
    .map((end) => fate[end] === 1 ? end : `${end} ${fate[end]} times`)
    .join(" and ")
