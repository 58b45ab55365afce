/**
 * The help and the error lines of the command line. Help, with the exit codes, is on stdout. A mistyped argument gives one line on
 * stderr, because a whole page of help would hide it.
 */
import * as CliConfig from "effect/cli/CliConfig"
import type { NonShowHelpErrors } from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { oneSentence } from "../text/Untrusted.ts"
import { say } from "./Output.ts"

const exitCodes = `
EXIT CODES
  the program's own    the program failed by itself
  0                    no leak found
  23                   a leak was found (--error-exitcode chooses another code)
  24                   the run was inconclusive, with --strict
  64                   wrong arguments
  125                  fiberscope failed, or a recording is malformed
  126                  the program is not executable
  127                  the program was not found`

/** The presentation of help, errors and the version. The built-in flag for a log level is left out, because there are no logs. */
export const layer = (args: ReadonlyArray<string>): Layer.Layer<never> =>
  Layer.merge(
    CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
    CliOutput.layerPresenter({
      present: (event) => {
        switch (event._tag) {
          case "InvalidInvocation":
            return Effect.sync(() => say(renderErrors(event.errors, event.commandPath, args)))
          case "Version":
            return CliOutput.defaultPresenter.present(event)
          case "Help": {
            // Arguments after -- are never read as flags of the tool, so the usage shows --.
            const usage = event.helpDoc.usage.replace("[<program...>]", "-- <program...>")
            return Effect.andThen(
              CliOutput.defaultPresenter.present({ ...event, helpDoc: { ...event.helpDoc, usage } }),
              Console.log(exitCodes)
            )
          }
        }
      }
    })
  )

/** One line for each error with the likely intention, and the command that shows more help. */
const renderErrors = (
  errors: ReadonlyArray<NonShowHelpErrors>,
  commandPath: ReadonlyArray<string>,
  args: ReadonlyArray<string>
): string => {
  const advice = new Set(errors.map((error) => adviceFor(error, args)).filter((text) => text !== undefined))
  return [
    ...errors.map((error) => oneSentence(`fiberscope: ${sentence(error)}`)),
    ...[...advice].map(oneSentence),
    `For help: ${commandPath.join(" ")} --help`
  ].join("\n") + "\n"
}

const sentence = (error: NonShowHelpErrors): string => {
  switch (error._tag) {
    case "UnrecognizedOption":
      return `unknown flag ${error.option}${meant(error.suggestions)}`
    case "UnknownSubcommand":
      return `unknown command ${error.subcommand}${meant(error.suggestions)}`
    case "InvalidValue": {
      const expected = error.expected.replace(/^Expected:? /, "")
      return error.value === ""
        ? `--${error.option} needs a value (${expected})`
        : `${error.kind === "flag" ? "--" : ""}${error.option} ${error.value}: expected ${expected}`
    }
    case "MissingArgument":
      return `missing argument <${error.argument}>`
    default:
      return error.message
  }
}

const meant = (suggestions: ReadonlyArray<string>): string =>
  suggestions.length === 0 ? "" : `; did you mean ${suggestions.join(" or ")}?`

const adviceFor = (error: NonShowHelpErrors, args: ReadonlyArray<string>): string | undefined => {
  if (
    error._tag === "UnrecognizedOption" && error.suggestions.length === 0 && args[0] === "run" && !args.includes("--")
  ) {
    return "Put the program and its flags after --, for example: fiberscope run --for 30s -- node app.mjs --its-flag"
  }
  return error._tag === "UnknownSubcommand" && error.suggestions.length === 0
    ? `To observe a program: fiberscope run -- ${args.join(" ")}`
    : undefined
}
