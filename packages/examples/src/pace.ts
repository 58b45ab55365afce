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

/** The pace that this process was asked for; when it was asked for something else, it has said so and will end. */
export const paceOfProcess = (): Pace | undefined => {
  const pace = paceOf(process.argv.slice(2))
  if (!("help" in pace)) return pace
  const out = pace.wrong ? process.stderr : process.stdout
  out.write(`${pace.help}\n`)
  process.exitCode = pace.wrong ? 64 : 0
  return undefined
}
