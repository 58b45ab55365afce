/**
 * The guard between Fiberscope and a program that it does not own.
 *
 * Timers, events, hooks and wrapped methods are entries: places where the runtime calls our code inside that program. An exception
 * that leaves an entry would end the program or change what it does. So each entry is made by a guard, which lets no exception out,
 * switches off what failed, and reports it once. The linter rule `fiberscope/guarded-entry` finds entries that have no guard.
 *
 * This file is the part that is trusted: it must not throw, so it calls nothing but what it was given, inside `try`.
 */

/** Receives the name of a part that failed and why. It is called once for each name. */
export type Report = (name: string, message: string) => void

export interface Guard {
  /** Runs a part, or answers `fallback` after the part has failed once. */
  readonly run: <A>(name: string, body: () => A, fallback: A) => A
  /** Makes the function that the runtime may call: a timer's, an event's, a hook's. */
  readonly entry: <Args extends ReadonlyArray<unknown>>(
    name: string,
    body: (...args: Args) => void
  ) => (...args: Args) => void
  /**
   * Makes a replacement for a function of the program. It calls `original` once, with the same `this` and arguments, and returns or
   * throws what `original` does. `before` looks at the arguments and answers the function that may replace the result, if there is one.
   */
  readonly around: (
    name: string,
    original: AnyFunction,
    before: (args: ReadonlyArray<unknown>) => ((result: unknown) => unknown) | undefined
  ) => AnyFunction
  /** Calls a part every `ms` milliseconds. The timer does not keep the process alive. */
  readonly every: (name: string, ms: number, body: () => void) => GuardedTimer
  /** Calls a part once, after `ms` milliseconds. The timer does not keep the process alive. */
  readonly after: (name: string, ms: number, body: () => void) => GuardedTimer
  /** Whether a part has failed. */
  readonly hasFailed: (name: string) => boolean
  /** Switches a part off and reports it; for entries that are too hot to be made by {@link entry}. */
  readonly fail: (name: string, error: unknown) => void
}

/** A timer that a guard has set. */
export interface GuardedTimer {
  readonly stop: () => void
  /** Begins to wait again. `false` where the host's timers cannot; then nothing has changed. */
  readonly refresh: () => boolean
}

/** A function about which nothing is known. */
export type AnyFunction = (this: unknown, ...args: Array<unknown>) => unknown

// Taken at load: the program may replace the globals, and tests do.
const { clearTimeout: clear, setInterval: setEvery, setTimeout: setAfter } = globalThis

/** A timer as Node has it; other hosts answer a number. */
interface Timer {
  readonly unref?: () => void
  readonly refresh?: () => void
}

const timer = (made: unknown): GuardedTimer => {
  const { refresh, unref } = made as Timer
  unref?.call(made)
  return {
    stop: () => clear(made as ReturnType<typeof setTimeout>),
    refresh: () => {
      refresh?.call(made)
      return refresh !== undefined
    }
  }
}

export const makeGuard = (report: Report): Guard => {
  const failed = new Set<string>()
  const fail = (name: string, error: unknown): void => {
    try {
      if (failed.has(name)) return
      failed.add(name)
      report(name, messageOf(error))
    } catch {
      // The report is a part of what fails.
    }
  }
  const run = <A>(name: string, body: () => A, fallback: A): A => {
    try {
      return failed.has(name) ? fallback : body()
    } catch (error) {
      fail(name, error)
      return fallback
    }
  }
  const entry: Guard["entry"] = (name, body) => (...args) => {
    try {
      if (!failed.has(name)) body(...args)
    } catch (error) {
      fail(name, error)
    }
  }
  return {
    run,
    fail,
    entry,
    hasFailed: (name) => failed.has(name),
    every: (name, ms, body) => timer(setEvery(entry(name, body), ms)),
    after: (name, ms, body) => timer(setAfter(entry(name, body), ms)),
    around: (name, original, before) =>
      function(this: unknown, ...args: Array<unknown>): unknown {
        const after = run(name, () => before(args), undefined)
        const result = original.apply(this, args)
        return after === undefined ? result : run(name, () => after(result), result)
      }
  }
}

/** The message of anything that was thrown. The thrown value belongs to the program, so reading it may throw again. */
export const messageOf = (error: unknown): string => {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  } catch {
    return "an error that cannot be printed"
  }
}
