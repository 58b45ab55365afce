/** The output of the command line: the report on stderr, in the chosen format, and files. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs"
import { isAbsolute, relative } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { renderGithub } from "../report/github.ts"
import { renderJson } from "../report/json.ts"
import { renderMarkdown } from "../report/markdown.ts"
import type { Report } from "../report/Report.ts"
import { styleFor } from "../report/Style.ts"
import { renderText } from "../report/text.ts"
import { oneSentence } from "../text/Untrusted.ts"

/** A file from the command line cannot be written or read. */
export class OutputError extends Data.TaggedError("OutputError")<{ readonly message: string }> {}

/** The format of the report on stderr. */
export type Format = "pretty" | "json" | "github" | "markdown"

/** The text of a source file, if it may be read. */
type Source = (file: string) => string | undefined

/** Writes the report to stderr, with excerpts of sources. If stderr is closed, only the exit code remains. */
export const print = (report: Report, format: Format, source: Source): Effect.Effect<void> =>
  Effect.sync(() => say(renderings[format](report, source)))

const renderings: Readonly<Record<Format, (report: Report, source: Source) => string>> = {
  json: renderJson,
  github: (report) => renderGithub(report, process.cwd()),
  markdown: (report) => renderMarkdown(report),
  pretty: (report, source) =>
    renderText(report, {
      style: styleFor(process.stderr.isTTY, process.env),
      width: process.stderr.isTTY ? process.stderr.columns : undefined,
      source,
      locate
    })
}

/** The path of a page of the documentation, if this is a clone; the path of a source file relative to the working folder, if shorter. */
const locate = (file: string): string => {
  if (file.startsWith("docs/")) {
    const [page, anchor] = file.split("#")
    const path = fileURLToPath(new URL(`../../../../${page}`, import.meta.url))
    return existsSync(path) ? `${fromHere(path)}#${anchor}` : file
  }
  return isAbsolute(file) ? fromHere(file) : file
}

const fromHere = (path: string): string => {
  const shorter = relative(folderAtStart, path)
  return shorter.length < path.length && !isAbsolute(shorter) ? shorter : path
}

const folderAtStart = process.cwd()

/** Checks before a run whether its report can be written afterwards. */
export const checkWritable = (file: string): Effect.Effect<void, OutputError> =>
  Effect.try({ try: () => closeSync(openSync(file, "a")), catch: (error) => cannotWrite(file, error) })

/** Writes the report as JSON. */
export const writeReport = (file: string, report: Report): Effect.Effect<void, OutputError> =>
  Effect.flatMap(Effect.sync(() => renderJson(report)), (text) => writeText(file, text))

/** Writes a file. */
export const writeText = (file: string, text: string): Effect.Effect<void, OutputError> =>
  Effect.try({ try: () => writeFileSync(file, text), catch: (error) => cannotWrite(file, error) })

/** Opens a file for lines until the scope ends. If a write fails, that is reported once, and the run continues. */
export const openLines = (
  file: Option.Option<string>
): Effect.Effect<(line: string) => void, OutputError, Scope.Scope> =>
  Option.match(file, {
    onNone: () => Effect.succeed(() => {}),
    onSome: (path) =>
      Effect.map(
        Effect.acquireRelease(
          Effect.try({ try: () => openSync(path, "w"), catch: (error) => cannotWrite(path, error) }),
          (fd) => Effect.sync(() => closeSync(fd))
        ),
        (fd) => {
          let broken = false
          return (line: string) => {
            if (broken) return
            try {
              writeSync(fd, line + "\n")
            } catch (error) {
              broken = true
              complain(`the recording cannot be continued: ${String(error)}`)
            }
          }
        }
      )
  })

/** Reads a file that was named on the command line. */
export const readText = (file: string): Effect.Effect<string, OutputError> =>
  Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: (error) => new OutputError({ message: `cannot read ${file}: ${messageOf(error)}` })
  })

/** Writes to stderr, and ignores a closed pipe. */
export const say = (text: string): void => {
  try {
    writeSync(2, text)
  } catch {
    // The reader has closed the pipe.
  }
}

/** Writes the result of a command to stdout. If its reader has gone, the rest is not needed. */
export const answer = (text: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const ended = (): void => {
      process.stdout.off("error", ended)
      resume(Effect.void)
    }
    process.stdout.on("error", ended)
    process.stdout.write(text, ended)
  })

/** Writes an error as one printable line to stderr. */
export const complain = (message: string): void => say(`fiberscope: ${oneSentence(message)}\n`)

const cannotWrite = (file: string, error: unknown): OutputError =>
  new OutputError({ message: `cannot write ${file}: ${messageOf(error)}` })

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)
