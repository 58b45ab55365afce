/**
 * What one test makes: its fibers, scopes, listeners, timers, handles and generators, told apart from those of tests that run at the
 * same time by the asynchronous context, which fibers carry.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import type { RuntimeFiber } from "../../../internal/census/FiberRuntime.ts"
import { currentFiberSlot } from "../../../internal/census/FiberRuntime.ts"
import type { Place } from "../places.ts"
import { callingFrom, standingAt } from "../standing.ts"

/** Kinds of things that a test can leave behind. */
export type LeakKind =
  | "fiber"
  | "abandoned fiber"
  | "finalizers"
  | "listener"
  | "timer"
  | "handle"
  | "generator"
  | "memory"

/** Something that a test has left behind. */
export interface Leak {
  readonly kind: LeakKind
  /** What it is, in a few words. */
  readonly what: string
  /** The most telling place; `undefined` when no line of the program is known. */
  readonly at: Place | undefined
  /** Where it comes from, the most telling line first; empty when nothing is known. */
  readonly site: ReadonlyArray<string>
}

/** How much of a test may go into finding the places of each kind of thing. Beyond it, functions and spans must do. */
const placesBudgetMs = 100

/** The record of one test. */
export class Watch {
  readonly #kept = new Map<object, unknown>()
  readonly #placesMs = new Map<LeakKind, number>()

  /** What a sense keeps of this test. */
  of<A>(sense: object, make: () => A): A {
    let kept = this.#kept.get(sense) as A | undefined
    if (kept === undefined) this.#kept.set(sense, kept = make())
    return kept
  }

  /** Where the program is right now, as long as the budget for things of this kind lasts. */
  here(kind: LeakKind): Place | undefined {
    const spent = this.#placesMs.get(kind) ?? 0
    if (spent > placesBudgetMs) return undefined
    const began = performance.now()
    const fiber = runningFiber()
    const place = fiber === undefined ? callingFrom() : callingFrom(true) ?? standingAt(fiber)
    this.#placesMs.set(kind, spent + performance.now() - began)
    return place
  }
}

export const runningFiber = (): RuntimeFiber | undefined =>
  (globalThis as { readonly [currentFiberSlot]?: RuntimeFiber })[currentFiberSlot]

const storage = new AsyncLocalStorage<Watch | null>()
/** The watch over a suite sees what belongs to no test that is watched itself. */
let suite: Watch | undefined

/** To whom what is made now belongs. */
export const owner = (): Watch | undefined => {
  const watch = storage.getStore()
  return watch === undefined ? suite : watch ?? undefined
}

export const watched = <A>(watch: Watch, run: () => A): A => storage.run(watch, run)

/** What the tool itself makes belongs to nobody. */
export const unwatched = <A>(run: () => A): A => storage.run(null, run)

export const watchSuite = (watch: Watch | undefined): void => {
  suite = watch
}

/** One kind of thing, how its making is seen, and which of it is still there. */
export interface Sense {
  /** Begins to see; the answer ends it. Called once, however many tests are watched. */
  readonly install: () => () => void
  readonly left: (watch: Watch) => ReadonlyArray<Leak>
}

let watches = 0
let uninstall: ReadonlyArray<() => void> = []

/** Sees with all senses until the answer is called. */
export const see = (senses: ReadonlyArray<Sense>): () => void => {
  if (watches++ === 0) uninstall = senses.map(({ install }) => install())
  let seeing = true
  return () => {
    if (!seeing) return
    seeing = false
    if (--watches === 0) { for (const end of uninstall) end() }
  }
}
