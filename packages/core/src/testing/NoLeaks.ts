/**
 * Fails a test that leaves something behind, and says from which line it came.
 *
 * **When to use**
 *
 * Put it around every test of a service: a fiber that nobody joins, a listener that nobody removes, a generator that nobody returns
 * slows down and confuses whatever runs after it, in a test run as in production.
 *
 * **Details**
 *
 * When the test has ended and its scope is closed, it must have left no live fiber, no open finalizer, no listener on something that
 * outlives it, no timer, no handle and no async generator that was begun. What is slow to end has some time to settle. What belongs to
 * which test is told by the asynchronous context, so tests may run in parallel. With `repeat` the test runs several times, and memory
 * that most repetitions leave behind is a leak too.
 *
 * **Gotchas**
 *
 * Something that a test opens in a service it shares with others, lazily and for good, is charged to the first test that uses it: use
 * it once before, or ignore it with a reason. Fibers of a second copy of Effect are not seen, nor scopes that are only ever handed to
 * `Scope.addFinalizer`.
 *
 * **Example**
 *
 * ```ts
 * import { assert, it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { noLeaks } from "@fiberscope/core/testing"
 *
 * it.effect("joins its fiber", () =>
 *   Effect.gen(function*() {
 *     yield* Effect.forkScoped(Effect.never)
 *   }).pipe(noLeaks()))
 *
 * it.effect("is told of a fiber that was forgotten", () =>
 *   Effect.gen(function*() {
 *     const forgetful = Effect.forkDetach(Effect.never)
 *     const error = yield* Effect.flip(noLeaks(forgetful, { settle: 10 }))
 *     assert.strictEqual(error.leaks[0]?.kind, "fiber")
 *   }))
 * ```
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import { fibers } from "./internal/leaks/fibers.ts"
import { collectGarbage } from "./internal/leaks/garbage.ts"
import { generators } from "./internal/leaks/generators.ts"
import { fewest, repeated } from "./internal/leaks/growth.ts"
import { listeners, mayBeGarbage } from "./internal/leaks/listeners.ts"
import { resources } from "./internal/leaks/resources.ts"
import { scopes, seeingScopes } from "./internal/leaks/scopes.ts"
import type { Leak } from "./internal/leaks/Watch.ts"
import { see, unwatched, Watch, watched, watchSuite } from "./internal/leaks/Watch.ts"
import type { Place } from "./internal/places.ts"
import { callPlace, original, placeOf, pointTo } from "./internal/places.ts"

export type { Leak, LeakKind } from "./internal/leaks/Watch.ts"

/**
 * What is not a leak, and why. The reason is for whoever wonders later.
 *
 * @category models
 */
export interface IgnoreRule {
  readonly reason: string
  readonly matches: (leak: Leak) => boolean
}

/**
 * How long the test may take to come to rest, what is ignored, and how often it is repeated.
 *
 * @category models
 */
export interface NoLeaksOptions {
  /** Real time that things have to end after the test. It is not waited for when nothing is left. Default 1 second. */
  readonly settle?: Duration.Input | undefined
  /** What else is not a leak, besides {@link defaultIgnore}. */
  readonly ignore?: ReadonlyArray<IgnoreRule> | undefined
  /** Runs the test so many times, at least 9, and looks for memory that most repetitions leave behind. */
  readonly repeat?: number | undefined
}

/**
 * A test has left something behind.
 *
 * @category errors
 */
export class LeaksFound extends Data.TaggedError("LeaksFound")<{ readonly leaks: ReadonlyArray<Leak> }> {
  constructor(args: { readonly leaks: ReadonlyArray<Leak> }) {
    super(args)
    // Test runners and loggers print the message; with what can be enumerated they would print it all a second time.
    Object.defineProperty(this, "leaks", { enumerable: false })
  }
  override [NodeInspectSymbol](): string {
    return String(this.stack)
  }
  override get message(): string {
    return renderLeaks(this.leaks)
  }
}

/** Where a test is, asked only when it fails: what to point to when no line of what it left behind is known. */
type Where = () => Place | undefined

const found = (leaks: ReadonlyArray<Leak>, where: Where): LeaksFound =>
  pointTo(new LeaksFound({ leaks }), [...leaks.map(({ at }) => at), where()])

const caller = (): Where => {
  const call = callPlace()
  return () => call === undefined ? undefined : original(call.file, call.line, call.column)
}

/**
 * What is never reported.
 *
 * @category constants
 */
export const defaultIgnore: ReadonlyArray<IgnoreRule> = [
  {
    reason:
      "An agent keeps idle connections for the next request, and has said that they may not keep the process alive.",
    matches: ({ kind, what }) => (kind === "handle" || kind === "timer") && what.includes("unref'd")
  },
  {
    reason: "The streams of the process open their handles when they are first written to, and for good.",
    matches: ({ kind, what }) => kind === "handle" && what === "a terminal"
  }
]

/**
 * Runs a test in a scope of its own, and fails with {@link LeaksFound} when it has left something behind.
 *
 * **Details**
 *
 * A test that fails by itself fails as it would without: what it left behind may be the consequence.
 *
 * @category testing
 */
export const noLeaks: {
  (
    options?: NoLeaksOptions
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | LeaksFound, Exclude<R, Scope.Scope>>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    options?: NoLeaksOptions
  ): Effect.Effect<A, E | LeaksFound, Exclude<R, Scope.Scope>>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    options: NoLeaksOptions = {}
  ): Effect.Effect<A, E | LeaksFound, Exclude<R, Scope.Scope>> => guard(self, options, caller())
)

/**
 * {@link noLeaks} for a test that is a plain function.
 *
 * **Example**
 *
 * ```ts
 * import { it } from "@effect/vitest"
 * import { noLeaksPromise } from "@fiberscope/core/testing"
 *
 * it("awaits what it starts", () =>
 *   noLeaksPromise(async () => {
 *     await new Promise((resolve) => setTimeout(resolve, 1))
 *   }))
 * ```
 *
 * @category testing
 */
export const noLeaksPromise = <A>(test: () => A | Promise<A>, options?: NoLeaksOptions): Promise<A> =>
  Effect.runPromise(noLeaks(Effect.promise(async () => test()), options))

/**
 * Watches what belongs to no test that is watched itself, such as what the hooks of a suite leave behind.
 *
 * **Example**
 *
 * ```ts
 * import { afterAll, beforeAll, it } from "@effect/vitest"
 * import { watchSuite } from "@fiberscope/core/testing"
 *
 * let check: () => Promise<void>
 * beforeAll(() => {
 *   check = watchSuite()
 * })
 * afterAll(() => check())
 *
 * it("leaves nothing behind", () => {})
 * ```
 *
 * @category testing
 */
export { beginSuite as watchSuite }

/**
 * A `it` whose `effect` and `live` tests all run under {@link noLeaks}.
 *
 * **Example**
 *
 * ```ts
 * import { it as base } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { withNoLeaks } from "@fiberscope/core/testing"
 *
 * const it = withNoLeaks(base)
 *
 * it.effect("sleeps, and leaves nothing behind", () => Effect.yieldNow)
 * ```
 *
 * @category testing
 */
export const withNoLeaks = <It extends object>(it: It, options?: NoLeaksOptions): It =>
  new Proxy(it, {
    get: (target, key, receiver) => {
      const value: unknown = Reflect.get(target, key, receiver)
      return (key === "effect" || key === "live") && typeof value === "function" ? tester(value, options) : value
    }
  })

/**
 * Renders leaks: alike ones in one line with their number.
 *
 * @category rendering
 */
export const renderLeaks = (leaks: ReadonlyArray<Leak>): string => {
  const groups = new Map<string, { readonly leak: Leak; count: number }>()
  for (const leak of leaks) {
    const key = [leak.kind, leak.what, ...leak.site].join("\n")
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { leak, count: 1 })
    else group.count++
  }
  const lines = [...groups.values()].map(({ count, leak: { kind, site, what } }) =>
    [`  ${count === 1 ? "" : `${count} × `}${kind}: ${what}`, ...site.map((line) => `    ${line}`)].join("\n")
  )
  return [`this test leaves ${leaks.length} ${leaks.length === 1 ? "thing" : "things"} behind`, ...lines].join("\n\n")
}

// ---------------------------------------------------------------- internals

const senses = [fibers, scopes, listeners, resources, generators]

// Taken at load: tests replace them.
const later = setTimeout
const soon = setImmediate

const guard = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  options: NoLeaksOptions,
  where: Where
): Effect.Effect<A, E | LeaksFound, Exclude<R, Scope.Scope>> =>
  Effect.contextWith((context: Context.Context<Exclude<R, Scope.Scope>>) => {
    const test = Effect.provideContext(Effect.scoped(self), context) as Effect.Effect<A, E>
    return options.repeat === undefined ? once(test, options, where) : many(test, options, options.repeat, where)
  })

const once = <A, E>(
  test: Effect.Effect<A, E>,
  options: NoLeaksOptions,
  where: Where
): Effect.Effect<A, E | LeaksFound> =>
  Effect.withFiber((parent) => {
    const watch = new Watch()
    const blind = see(senses)
    const scheduler = seeingScopes(watch, parent.cache.scheduler)
    const context = Context.add(parent.context, Scheduler.Scheduler, scheduler)
    return Effect.callback<A, E | LeaksFound>((resume) => {
      const fiber = watched(watch, () => Effect.runForkWith(context)(test as Effect.Effect<A, E>))
      fiber.addObserver((exit) => {
        unwatched(() =>
          Exit.isFailure(exit)
            ? resume(exit)
            : settled(watch, options).then(
              (leaks) => resume(leaks.length === 0 ? exit : Effect.fail(found(leaks, where))),
              (error) => resume(Effect.die(error))
            )
        )
      })
      return Effect.callback<void>((stopped) => {
        fiber.addObserver(() => stopped(Effect.void))
        fiber.interruptUnsafe(parent.id)
      })
    }).pipe(Effect.ensuring(Effect.sync(blind)))
  })

const many = <A, E>(
  test: Effect.Effect<A, E>,
  options: NoLeaksOptions,
  repeat: number,
  where: Where
): Effect.Effect<A, E | LeaksFound> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.suspend(() => {
      let last: Exit.Exit<A, E | LeaksFound> | undefined
      const run = async () => {
        if (last !== undefined && Exit.isFailure(last)) return
        last = await Effect.runPromiseExitWith(context)(once(test, options, where))
      }
      return Effect.flatMap(
        Effect.promise(() => repeated(Math.max(repeat, fewest), run)),
        (grown): Effect.Effect<A, E | LeaksFound> => {
          const leaks = grown.filter((leak) => !isIgnored(leak, options))
          if (last === undefined || Exit.isFailure(last) || leaks.length === 0) return last!
          return Effect.fail(found(leaks, where))
        }
      )
    })
  )

const beginSuite = (options: NoLeaksOptions = {}): () => Promise<void> => {
  const where = caller()
  const watch = new Watch()
  const blind = see(senses)
  watchSuite(watch)
  return () =>
    unwatched(async () => {
      watchSuite(undefined)
      const ignore = [...options.ignore ?? [], ofTheRunner]
      const leaks = await settled(watch, { ...options, ignore }).finally(blind)
      if (leaks.length > 0) throw found(leaks, where)
    })
}

const ofTheRunner: IgnoreRule = {
  reason: "What the test runner itself adds and opens meanwhile has no line of the program.",
  matches: ({ at, kind }) => at === undefined && (kind === "listener" || kind === "timer" || kind === "handle")
}

const isIgnored = (leak: Leak, { ignore = [] }: NoLeaksOptions): boolean =>
  [...defaultIgnore, ...ignore].some(({ matches }) => matches(leak))

/** What is left when the time to settle is over, or as soon as nothing is. */
const settled = async (watch: Watch, options: NoLeaksOptions): Promise<ReadonlyArray<Leak>> => {
  const until = performance.now() + Duration.toMillis(Duration.fromInputUnsafe(options.settle ?? "1 second"))
  for (let pause = 0;; pause = Math.min(pause * 2 + 1, 100)) {
    // Hooks are told of closed handles a turn later.
    await new Promise<void>((resolve) => {
      soon(resolve)
    })
    const leaks = senses.flatMap(({ left }) => left(watch)).filter((leak) => !isIgnored(leak, options))
    if (leaks.length === 0) return leaks
    const left = until - performance.now()
    if (left <= 0) return leaks
    await new Promise<void>((resolve) => {
      later(resolve, Math.min(pause, left))
    })
    if (mayBeGarbage(watch)) {
      // What a WeakRef was just asked for lives until the turn is over.
      await new Promise<void>((resolve) => {
        soon(resolve)
      })
      collectGarbage()
    }
  }
}

type Test = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown, Scope.Scope>
type Tester = (name: string, test: Test, options?: unknown) => unknown

/** The fixtures of a test are read from its source. */
const guarded = (test: Test, options: NoLeaksOptions | undefined): Test =>
  Object.defineProperty(
    (...args: ReadonlyArray<unknown>) => guard(Effect.suspend(() => test(...args)), options ?? {}, () => placeOf(test)),
    "toString",
    { value: () => test.toString() }
  )

const tester = (value: object, options: NoLeaksOptions | undefined): unknown =>
  new Proxy(value, {
    apply: (target, self, [name, test, more]: [string, Test, unknown]) =>
      Reflect.apply(target as Tester, self, [name, guarded(test, options), more]),
    get: (target, key, receiver) => {
      const inner: unknown = Reflect.get(target, key, receiver)
      if (typeof inner !== "function") return inner
      if (key === "only" || key === "skip" || key === "fails") return tester(inner, options)
      if (key === "each" || key === "skipIf" || key === "runIf") {
        return (argument: unknown) => tester((inner as (argument: unknown) => object)(argument), options)
      }
      return inner
    }
  })
