/**
 * The arguments that every example takes.
 */
import { Duration, Option } from "effect"
import process from "node:process"
import { parseArgs } from "node:util"

/** How fast, and for how long. */
export interface Pace {
  readonly seconds: number
  readonly fast: boolean
}

/** How many times the load `--fast` is. */
export const hurry = 5

/** What a program takes when it is not told: seconds, and seconds with `--fast`. */
export interface Defaults {
  readonly seconds: number
  readonly fastSeconds: number
}

const usual: Defaults = { seconds: 12, fastSeconds: 2 }

const usage = ({ fastSeconds, seconds }: Defaults) =>
  [
    `--for <time>  how long to run: 30s, 2m, 500ms, or seconds (${seconds}s, and ${fastSeconds}s with --fast)`,
    `--fast        in a hurry: services get ${hurry} times the load`
  ].join("\n")

/** Reads the arguments of an example; a text is what is wrong with them, or the help that was asked for. */
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
      help: `--for ${time}: a time is a number with a unit, such as 30s, 2m or 500ms\n\n${usage(defaults)}`,
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

/** The pace that this process was asked for; when it was asked for something else, it has said so and will end. */
export const paceOfProcess = (defaults?: Defaults): Pace | undefined => {
  const pace = paceOf(process.argv.slice(2), defaults)
  if (!("help" in pace)) return pace
  const out = pace.wrong ? process.stderr : process.stdout
  out.write(`${pace.help}\n`)
  process.exitCode = pace.wrong ? 64 : 0
  return undefined
}
