/**
 * What every example is besides its pattern: a service under load that takes its time from the command line, ends when it is over or
 * when it is told, and says at its start and at its end what it keeps.
 */
import { Cause, Console, Effect, Exit, FiberSet, Schedule } from "effect"
import type { Layer } from "effect"
import process from "node:process"
import { hurry, paceOfProcess } from "./pace.ts"
import type { Pace } from "./pace.ts"

export interface Example<E, R> {
  readonly pattern: string
  readonly variant: "leaky" | "fixed"
  /** What is done again and again, and what it is called: "request". */
  readonly work: Effect.Effect<unknown, E, R>
  readonly called: string
  readonly perSecond: number
  /** How many are begun at once before the load begins. */
  readonly first: number
  readonly services: Layer.Layer<R>
  /** What the service keeps, in a few words: asked after the first round, and when the load is over. */
  readonly state: Effect.Effect<string, never, R>
}

/** Runs an example as the program of this process. */
export const run = <E, R>(example: Example<E, R>): void => {
  const pace = paceOfProcess()
  if (pace === undefined) return
  // Before the load: its first round may take a while, and runs at once.
  const told = new AbortController()
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => told.abort())
  // Whoever read this has gone, as `head` does.
  process.stdout.on("error", () => told.abort())
  const main = Effect.runFork(underLoad(example, pace), { signal: told.signal })
  main.addObserver((exit) => {
    const failed = Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
    if (failed) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
    process.exitCode = failed ? 1 : 0
    // What a leaky program left behind may keep its process alive for ever; that a fixed one ends by itself is the proof of it.
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
