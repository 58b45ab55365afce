/**
 * What the command line says of itself: help, with the exit codes, on stdout, and one line for what was mistyped on stderr, which a
 * whole page of help would hide.
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
  the program's own    when it fails by itself
  0                    no leak found
  23                   a leak found (--error-exitcode)
  24                   it cannot be told, with --strict
  64                   wrong arguments
  125, 126, 127        fiberscope failed or a recording is malformed, the program is not executable, it is not found`

/** Help, errors and the version as they are printed. Logs are none, so a flag for their level would only be noise. */
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
            // Nothing that follows -- is read as a flag of the tool, so that is the usage to learn.
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

/** One line for each error, with what was probably meant, and where to read more. */
const renderErrors = (
  errors: ReadonlyArray<NonShowHelpErrors>,
  commandPath: ReadonlyArray<string>,
  args: ReadonlyArray<string>
): string => {
  const advice = new Set(errors.map((error) => adviceFor(error, args)).filter((text) => text !== undefined))
  return [
    ...errors.map((error) => oneSentence(`fiberscope: ${sentence(error)}`)),
    ...[...advice].map(oneSentence),
    `${commandPath.join(" ")} --help explains it.`
  ].join("\n") + "\n"
}

const sentence = (error: NonShowHelpErrors): string => {
  switch (error._tag) {
    case "UnrecognizedOption":
      return `there is no flag ${error.option}${meant(error.suggestions)}`
    case "UnknownSubcommand":
      return `there is no command ${error.subcommand}${meant(error.suggestions)}`
    case "InvalidValue": {
      const expected = error.expected.replace(/^Expected:? /, "")
      return error.value === ""
        ? `--${error.option} needs a value (${expected})`
        : `${error.kind === "flag" ? "--" : ""}${error.option} ${error.value}: expected ${expected}`
    }
    case "MissingArgument":
      return `which ${error.argument}?`
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
    return "Flags of the program stand after --, as in: fiberscope run --for 30s -- node app.mjs --its-flag"
  }
  return error._tag === "UnknownSubcommand" && error.suggestions.length === 0
    ? `To observe a program: fiberscope run -- ${args.join(" ")}`
    : undefined
}
