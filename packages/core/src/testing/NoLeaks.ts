/**
 * Fails a test that leaks, and reports the line that each leak came from.
 *
 * **When to use**
 *
 * Put it around every test of a service. A fiber that is not joined, a listener that is not removed or a generator that is not
 * returned slows down and confuses the code that runs afterwards, in a test run as in production.
 *
 * **Details**
 *
 * When the test has ended and its scope is closed, no live fiber, no open finalizer, no listener on an object that outlives the
 * test, no timer, no handle and no started async generator may remain. Things that are slow to end have some time to settle. The
 * asynchronous context shows which test each thing belongs to, so tests may run in parallel. With `repeat` the test runs several
 * times, and memory that most repetitions retain is a leak too.
 *
 * **Gotchas**
 *
 * A resource that a test opens lazily and permanently in a shared service is attributed to the first test that uses it: use it
 * once before, or ignore it with a reason. Fibers of a second copy of Effect are not detected, nor are scopes that are used only
 * with `Scope.addFinalizer`.
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
import { installProbes, unwatched, Watch, watched, watchSuite } from "./internal/leaks/Watch.ts"
import type { Place } from "./internal/places.ts"
import { callPlace, original, placeOf, pointTo } from "./internal/places.ts"

export type { Leak, LeakKind } from "./internal/leaks/Watch.ts"

/**
 * A rule for things that are not leaks, with a reason for later readers.
 *
 * @category models
 */
export interface IgnoreRule {
  readonly reason: string
  readonly matches: (leak: Leak) => boolean
}

/**
 * The time for the test to settle, the ignored things, and the number of repetitions.
 *
 * @category models
 */
export interface NoLeaksOptions {
  /** The real time for things to end after the test. There is no wait when nothing remains. Default 1 second. */
  readonly settle?: Duration.Input | undefined
  /** Further things that are not leaks, in addition to {@link defaultIgnore}. */
  readonly ignore?: ReadonlyArray<IgnoreRule> | undefined
  /** Runs the test this many times, at least 9, and looks for memory that most repetitions retain. */
  readonly repeat?: number | undefined
  /** Names what keeps that memory: `keepers` of `@fiberscope/detector/Keepers`. It runs the test some more times. */
  readonly kept?: Keepers | undefined
}

/**
 * Runs a test so many times again, and describes what keeps the memory of these runs, one line for each.
 *
 * @category models
 */
export type Keepers = (run: () => Promise<void>, times: number) => Promise<ReadonlyArray<string>>

/**
 * The test leaked.
 *
 * @category errors
 */
export class LeaksFound extends Data.TaggedError("LeaksFound")<{ readonly leaks: ReadonlyArray<Leak> }> {
  constructor(args: { readonly leaks: ReadonlyArray<Leak> }) {
    super(args)
    // Test runners and loggers print the message; enumerable fields would be printed in addition.
    Object.defineProperty(this, "leaks", { enumerable: false })
  }
  override [NodeInspectSymbol](): string {
    return String(this.stack)
  }
  override get message(): string {
    return renderLeaks(this.leaks)
  }
}

/** The place of a test, requested only when it fails: shown if no line of the leaked things is known. */
type Where = () => Place | undefined

const found = (leaks: ReadonlyArray<Leak>, where: Where): LeaksFound =>
  pointTo(new LeaksFound({ leaks }), [...leaks.map(({ at }) => at), where()])

const caller = (): Where => {
  const call = callPlace()
  return () => call === undefined ? undefined : original(call.file, call.line, call.column)
}

/**
 * Things that are never reported.
 *
 * @category constants
 */
export const defaultIgnore: ReadonlyArray<IgnoreRule> = [
  {
    reason:
      "An HTTP agent keeps idle connections for the next request, unref'd so that they do not keep the process alive.",
    matches: ({ kind, what }) => (kind === "handle" || kind === "timer") && what.includes("unref'd")
  },
  {
    reason: "The streams of the process open their handles at the first write, and never close them.",
    matches: ({ kind, what }) => kind === "handle" && what === "a terminal"
  }
]

/**
 * Runs a test in its own scope, and fails with {@link LeaksFound} when it leaked.
 *
 * **Details**
 *
 * A test that fails by itself fails as it would without this wrapper: the remaining things may be a consequence of the failure.
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
 * Same as {@link noLeaks}, for a test that is a plain function.
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
 * Watches everything that does not belong to a watched test, such as leaks of the hooks of a suite.
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
 * An `it` whose `effect` and `live` tests all run under {@link noLeaks}.
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
 * Renders leaks: equal ones in one line with their number.
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
  return [`this test leaked ${leaks.length} ${leaks.length === 1 ? "thing" : "things"}`, ...lines].join("\n\n")
}

// ---------------------------------------------------------------- internals

const probes = [fibers, scopes, listeners, resources, generators]

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
    const uninstall = installProbes(probes)
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
    }).pipe(Effect.ensuring(Effect.sync(uninstall)))
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
      const times = Math.max(repeat, fewest)
      const findLeaks = async (): Promise<ReadonlyArray<Leak>> => {
        const leaks = (await repeated(times, run)).filter((leak) => !isIgnored(leak, options))
        const [first, ...rest] = leaks
        if (options.kept === undefined || first === undefined || Exit.isFailure(last!)) return leaks
        const lines = await options.kept(run, times)
        return [{ ...first, site: [...first.site, ...lines.map((line) => `kept by ${line}`)] }, ...rest]
      }
      return Effect.flatMap(
        Effect.promise(findLeaks),
        (leaks): Effect.Effect<A, E | LeaksFound> =>
          last === undefined || Exit.isFailure(last) || leaks.length === 0 ? last! : Effect.fail(found(leaks, where))
      )
    })
  )

const beginSuite = (options: NoLeaksOptions = {}): () => Promise<void> => {
  const where = caller()
  const watch = new Watch()
  const uninstall = installProbes(probes)
  watchSuite(watch)
  return () =>
    unwatched(async () => {
      watchSuite(undefined)
      const ignore = [...options.ignore ?? [], ofTheRunner]
      const leaks = await settled(watch, { ...options, ignore }).finally(uninstall)
      if (leaks.length > 0) throw found(leaks, where)
    })
}

const ofTheRunner: IgnoreRule = {
  reason: "Things that the test runner itself adds and opens in the meantime have no line of the program.",
  matches: ({ at, kind }) => at === undefined && (kind === "listener" || kind === "timer" || kind === "handle")
}

const isIgnored = (leak: Leak, { ignore = [] }: NoLeaksOptions): boolean =>
  [...defaultIgnore, ...ignore].some(({ matches }) => matches(leak))

/** The remaining leaks after the time to settle, or an empty list as soon as there are none. */
const settled = async (watch: Watch, options: NoLeaksOptions): Promise<ReadonlyArray<Leak>> => {
  const until = performance.now() + Duration.toMillis(Duration.fromInputUnsafe(options.settle ?? "1 second"))
  for (let pause = 0;; pause = Math.min(pause * 2 + 1, 100)) {
    // Hooks are notified of closed handles one turn later.
    await new Promise<void>((resolve) => {
      soon(resolve)
    })
    const leaks = probes.flatMap(({ left }) => left(watch)).filter((leak) => !isIgnored(leak, options))
    if (leaks.length === 0) return leaks
    const left = until - performance.now()
    if (left <= 0) return leaks
    await new Promise<void>((resolve) => {
      later(resolve, Math.min(pause, left))
    })
    if (mayBeGarbage(watch)) {
      // The target of a dereferenced WeakRef lives until the end of the turn.
      await new Promise<void>((resolve) => {
        soon(resolve)
      })
      collectGarbage()
    }
  }
}

type Test = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown, Scope.Scope>
type Tester = (name: string, test: Test, options?: unknown) => unknown

/** The test runner reads the fixtures of a test from its source. */
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
