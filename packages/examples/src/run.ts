/**
 * The common part of every example: a service under load. It reads its duration from the command line, ends after it or at a signal,
 * and prints what it keeps at its start and its end.
 */
import { Cause, Console, Effect, Exit, FiberSet, Schedule } from "effect"
import type { Layer } from "effect"
import process from "node:process"
import { hurry, paceOfProcess } from "./pace.ts"
import type { Pace } from "./pace.ts"

export interface Example<E, R> {
  readonly pattern: string
  readonly variant: "leaky" | "fixed"
  /** The repeated unit of work. */
  readonly work: Effect.Effect<unknown, E, R>
  /** The name of a unit of work, such as "request". */
  readonly called: string
  readonly perSecond: number
  /** The number of units that start at once before the load begins. */
  readonly first: number
  readonly services: Layer.Layer<R>
  /** A short text about what the service keeps. It is printed after the first round and at the end. */
  readonly state: Effect.Effect<string, never, R>
}

/** Runs an example as the program of this process. */
export const run = <E, R>(example: Example<E, R>): void => {
  const pace = paceOfProcess()
  if (pace === undefined) return
  // The listeners are added before the load, because its first round may take a while.
  const ending = new AbortController()
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => ending.abort())
  // The reader has closed the pipe, as `head` does.
  process.stdout.on("error", () => ending.abort())
  const main = Effect.runFork(underLoad(example, pace), { signal: ending.signal })
  main.addObserver((exit) => {
    const failed = Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
    if (failed) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
    process.exitCode = failed ? 1 : 0
    // A leaky program may keep its process alive forever, so it exits. A fixed program must end by itself.
    if (example.variant === "leaky") process.exit()
  })
}

const underLoad = <E, R>(
  { called, first, pattern, perSecond, services, state, variant, work }: Example<E, R>,
  { fast, seconds }: Pace
): Effect.Effect<void, E> => {
  const rate = perSecond * (fast ? hurry : 1)
  let begun = 0
  const begin = Effect.suspend(() => {
    begun++
    return work
  })
  const say = (when: string) =>
    Effect.flatMap(state, (kept) => Console.log(`${when} ${begun} ${called}${begun === 1 ? "" : "s"}: ${kept}`))
  const service = Effect.gen(function*() {
    yield* Console.log(`${pattern}, ${variant}: ${rate} ${called}s a second`)
    yield* Effect.replicateEffect(begin, first, { concurrency: "unbounded", discard: true })
    yield* say("after the first")
    const running = yield* FiberSet.make<unknown, E>()
    const atOnce = Math.ceil(rate / 100)
    const load = Effect.replicateEffect(FiberSet.run(running, begin), atOnce, { discard: true }).pipe(
      Effect.repeat(Schedule.fixed(1000 * atOnce / rate))
    )
    yield* Effect.raceFirst(load, FiberSet.join(running))
  })
  return service.pipe(
    Effect.scoped,
    Effect.timeoutOption(`${seconds} seconds`),
    Effect.ensuring(Effect.suspend(() => say("at the end, after"))),
    Effect.provide(services),
    Effect.asVoid
  )
}
