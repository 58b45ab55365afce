/**
 * What every example is besides its pattern: a service under load that takes its time from the command line, ends when it is over or
 * when it is told, and says at its start and at its end what it keeps.
 */
import { Cause, Console, Duration, Effect, Exit, FiberSet, Option, Schedule } from "effect"
import type { Layer } from "effect"
import process from "node:process"
import { parseArgs } from "node:util"

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

/** How fast, and for how long. */
export interface Pace {
  readonly seconds: number
  readonly fast: boolean
}

const hurry = 5
const usage = [
  "--for <time>  how long to run: 30s, 2m, 500ms, or seconds (12s, and 2s with --fast)",
  `--fast        ${hurry} times the load`
].join("\n")

/** Reads the arguments of an example; a text is what is wrong with them, or the help that was asked for. */
export const paceOf = (args: ReadonlyArray<string>): Pace | { readonly help: string; readonly wrong: boolean } => {
  const parsed = readArgs(args)
  if (typeof parsed === "string") return { help: `${parsed}\n\n${usage}`, wrong: true }
  const { fast = false, for: time = fast ? "2s" : "12s", help = false } = parsed
  if (help) return { help: usage, wrong: false }
  const limit = durationOf(time)
  return Option.isNone(limit)
    ? { help: `--for ${time}: a time is a number with a unit, such as 30s, 2m or 500ms\n\n${usage}`, wrong: true }
    : { seconds: Duration.toSeconds(limit.value), fast }
}

const readArgs = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: { for: { type: "string" }, fast: { type: "boolean" }, help: { type: "boolean", short: "h" } }
    }).values
  } catch (error) {
    // Node's first sentence says what is wrong; those after it are about quoting.
    return String((error as Error).message).split(". ")[0]!
  }
}

/** A time as `fiberscope run --for` takes it. */
export const durationOf = (text: string): Option.Option<Duration.Duration> => {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m)?$/.exec(text.trim())
  const millis = match === null ? 0 : Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] ?? "s"]!
  return millis > 0 ? Option.some(Duration.millis(millis)) : Option.none()
}

/** Runs an example as the program of this process. */
export const run = <E, R>(example: Example<E, R>): void => {
  const pace = paceOf(process.argv.slice(2))
  if ("help" in pace) {
    const out = pace.wrong ? process.stderr : process.stdout
    out.write(`${pace.help}\n`)
    process.exitCode = pace.wrong ? 64 : 0
    return
  }
  // Before the load: its first round may take a while, and runs at once.
  const told = new AbortController()
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => told.abort())
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
