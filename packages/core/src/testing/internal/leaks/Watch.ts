/**
 * The things that one test creates: its fibers, scopes, listeners, timers, handles and generators. The asynchronous context,
 * which fibers carry, distinguishes them from those of concurrent tests.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import type { RuntimeFiber } from "../../../internal/census/FiberRuntime.ts"
import { currentFiberSlot } from "../../../internal/census/FiberRuntime.ts"
import type { Place } from "../places.ts"
import { callingFrom, suspendedAt } from "../suspendedAt.ts"

/** The kinds of leaks of a test. */
export type LeakKind =
  | "fiber"
  | "abandoned fiber"
  | "finalizers"
  | "listener"
  | "timer"
  | "handle"
  | "generator"
  | "memory"

/** Something that a test leaked. */
export interface Leak {
  readonly kind: LeakKind
  /** A short description. */
  readonly what: string
  /** The most informative place; `undefined` when no line of the program is known. */
  readonly at: Place | undefined
  /** The origin, most informative line first; empty when nothing is known. */
  readonly site: ReadonlyArray<string>
}

/** The time, in milliseconds per test, for finding the places of each kind of thing. Beyond it, only functions and spans are known. */
const placesBudgetMs = 100

/** The record of one test. */
export class Watch {
  readonly #kept = new Map<object, unknown>()
  readonly #placesMs = new Map<LeakKind, number>()

  /** The state that a probe keeps for this test. */
  of<A>(probe: object, make: () => A): A {
    let kept = this.#kept.get(probe) as A | undefined
    if (kept === undefined) this.#kept.set(probe, kept = make())
    return kept
  }

  /** The current place in the program, as long as the time budget for this kind of thing lasts. */
  here(kind: LeakKind): Place | undefined {
    const spent = this.#placesMs.get(kind) ?? 0
    if (spent > placesBudgetMs) return undefined
    const began = performance.now()
    const fiber = runningFiber()
    const place = fiber === undefined ? callingFrom() : callingFrom(true) ?? suspendedAt(fiber)
    this.#placesMs.set(kind, spent + performance.now() - began)
    return place
  }
}

export const runningFiber = (): RuntimeFiber | undefined =>
  (globalThis as { readonly [currentFiberSlot]?: RuntimeFiber })[currentFiberSlot]

const storage = new AsyncLocalStorage<Watch | null>()
/** The watch of a suite, which covers everything that belongs to no watched test. */
let suite: Watch | undefined

/** The watch to which newly created things belong. */
export const owner = (): Watch | undefined => {
  const watch = storage.getStore()
  return watch === undefined ? suite : watch ?? undefined
}

export const watched = <A>(watch: Watch, run: () => A): A => storage.run(watch, run)

/** Runs code of the tool itself, whose things belong to no watch. */
export const unwatched = <A>(run: () => A): A => storage.run(null, run)

export const watchSuite = (watch: Watch | undefined): void => {
  suite = watch
}

/** A probe for one kind of thing: it observes creations, and lists the things that still exist. */
export interface Probe {
  /** Starts observing and returns a function that stops it. Called once, however many tests are watched. */
  readonly install: () => () => void
  readonly left: (watch: Watch) => ReadonlyArray<Leak>
}

let watches = 0
let uninstall: ReadonlyArray<() => void> = []

/** Installs all probes; the returned function uninstalls them. */
export const installProbes = (probes: ReadonlyArray<Probe>): () => void => {
  if (watches++ === 0) uninstall = probes.map(({ install }) => install())
  let installed = true
  return () => {
    if (!installed) return
    installed = false
    if (--watches === 0) { for (const end of uninstall) end() }
  }
}
