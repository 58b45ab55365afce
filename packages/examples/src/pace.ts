/**
 * The arguments of every example.
 */
import { Duration, Option } from "effect"
import process from "node:process"
import { parseArgs } from "node:util"

/** The load and the duration of a run. */
export interface Pace {
  readonly seconds: number
  readonly fast: boolean
}

/** The factor by which `--fast` increases the load. */
export const hurry = 5

/** The default duration in seconds, without and with `--fast`. */
export interface Defaults {
  readonly seconds: number
  readonly fastSeconds: number
}

const usual: Defaults = { seconds: 12, fastSeconds: 2 }

const usage = ({ fastSeconds, seconds }: Defaults) =>
  [
    `--for <time>  run this long: 30s, 2m, 500ms, or a number of seconds (default: ${seconds}s, with --fast ${fastSeconds}s)`,
    `--fast        a shorter run with ${hurry} times the load`
  ].join("\n")

/** Parses the arguments of an example. `help` is an error message, if `wrong`, or the requested help. */
export const paceOf = (
  args: ReadonlyArray<string>,
  defaults: Defaults = usual
): Pace | { readonly help: string; readonly wrong: boolean } => {
  const parsed = readArgs(args)
  if (typeof parsed === "string") return { help: `${parsed}\n\n${usage(defaults)}`, wrong: true }
  const { fast = false, for: time = `${fast ? defaults.fastSeconds : defaults.seconds}s`, help = false } = parsed
  if (help) return { help: usage(defaults), wrong: false }
  const limit = durationOf(time)
  return Option.isNone(limit)
    ? {
      help: `--for ${time}: expected a number with a unit, such as 30s, 2m or 500ms\n\n${usage(defaults)}`,
      wrong: true
    }
    : { seconds: Duration.toSeconds(limit.value), fast }
}

const readArgs = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: { for: { type: "string" }, fast: { type: "boolean" }, help: { type: "boolean", short: "h" } }
    }).values
  } catch (error) {
    // The first sentence of Node's message has the reason. The others are about quoting.
    return String((error as Error).message).split(". ")[0]!
  }
}

/** Parses a duration in the format of `fiberscope run --for`. */
export const durationOf = (text: string): Option.Option<Duration.Duration> => {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m)?$/.exec(text.trim())
  const millis = match === null ? 0 : Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] ?? "s"]!
  return millis > 0 ? Option.some(Duration.millis(millis)) : Option.none()
}

/** The pace from the arguments of this process. For help or wrong arguments, it prints a text, sets the exit code, and is `undefined`. */
export const paceOfProcess = (defaults?: Defaults): Pace | undefined => {
  const pace = paceOf(process.argv.slice(2), defaults)
  if (!("help" in pace)) return pace
  const out = pace.wrong ? process.stderr : process.stdout
  out.write(`${pace.help}\n`)
  process.exitCode = pace.wrong ? 64 : 0
  return undefined
}
