#!/usr/bin/env node
/** The `fiberscope` command. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { messageOf } from "@fiberscope/core/FiberCensus"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import process from "node:process"
import type { AcceptedError } from "../diagnosis/Accepted.ts"
import type { SnapshotError } from "../heap/SnapshotError.ts"
import type { RecordingError } from "../observation/Recording.ts"
import type { AgentFilesError } from "./AgentFiles.ts"
import type { AgentServerError } from "./AgentServer.ts"
import { heap } from "./heap.ts"
import { complain } from "./Output.ts"
import type { OutputError } from "./Output.ts"
import type { ProgramError } from "./Program.ts"
import { report } from "./report.ts"
import { run } from "./run.ts"
import type { RunOptions } from "./run.ts"
import type { SocketFolderError } from "./SocketFolder.ts"
import { version } from "./version.ts"
import * as Words from "./Words.ts"

const seconds = Flag.String("for").pipe(
  Flag.withMetavar("time"),
  Flag.withDescription(
    "Stop the program this long after its first fiber: 30s, 2m, 500ms. Default: observe until the program ends"
  ),
  Flag.mapTryCatch(
    (text) => Option.getOrThrow(parseDuration(text)),
    () => "a duration from 1ms to 480h, as a number with a unit: 30s, 2m, 500ms"
  ),
  Flag.optional
)

/** The longest duration. A timer of node can wait for about 24 days. */
const longestMs = 20 * 24 * 3_600_000

const parseDuration = (text: string): Option.Option<Duration.Duration> => {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)?$/.exec(text.trim())
  if (match === null) return Option.none()
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] ?? "s"]!
  const ms = Number(match[1]) * unit
  return ms >= 1 && ms <= longestMs ? Option.some(Duration.millis(ms)) : Option.none()
}

const program = Argument.String("program").pipe(
  Argument.withDescription("The program and its arguments, after --"),
  Argument.variadic()
)

const format = Flag.Literals("format", ["pretty", "json", "github", "markdown"]).pipe(
  Flag.withDescription("The form of the report"),
  Flag.withDefault("pretty" as const)
)

const accepted = Flag.String("accepted").pipe(
  Flag.withMetavar("file"),
  Flag.withDescription(
    "A JSON file of known findings, each { fingerprint, reason, until }. Default: fiberscope.accepted.json, if it exists"
  ),
  Flag.optional
)

/** The longest sampling interval in bytes. One sample per gigabyte is practically none. */
const mostSampling = 1024 ** 3

const json = Flag.String("json").pipe(
  Flag.withMetavar("file"),
  Flag.withDescription("Write the report as JSON to this file"),
  Flag.optional
)

const strict = Flag.Boolean("strict").pipe(
  Flag.withDescription("Exit with 24 when the run is inconclusive"),
  Flag.withDefault(false)
)

const leakExitCode = Flag.Int("error-exitcode").pipe(
  Flag.filter((code) => code >= 1 && code <= 255, () => "an exit code from 1 to 255"),
  Flag.withDescription("The exit code when a leak was found"),
  Flag.withDefault(23)
)

const quiet = Flag.Boolean("quiet").pipe(
  Flag.withDescription("Print no report; the exit code and --json show the result"),
  Flag.withDefault(false)
)

const runCommand = Command.make(
  "run",
  {
    duration: seconds,
    json,
    record: Flag.String("record").pipe(
      Flag.withMetavar("file"),
      Flag.withDescription("Write the whole observation to this file; fiberscope report reads it"),
      Flag.optional
    ),
    gc: Flag.Boolean("gc").pipe(
      Flag.withDescription(
        "Collect all garbage once a second: more heap readings in a short run, but a slower program"
      ),
      Flag.withDefault(false)
    ),
    sampling: Flag.Int("sampling").pipe(
      Flag.filter((bytes) => bytes >= 0 && bytes <= mostSampling, () => "a whole number of bytes, 0 to 1073741824"),
      Flag.withDescription(
        "Bytes between two allocation samples; 0 switches sampling off. Default: adapts to the program's allocation rate"
      ),
      Flag.optional
    ),
    strict,
    leakExitCode,
    format,
    sites: Flag.Literals("sites", ["named", "all"]).pipe(
      Flag.withDescription(
        "all: find the exact line of every fork and run call, at the cost of a stack for each; the report shows the cost"
      ),
      Flag.withDefault("named" as const)
    ),
    heap: Flag.Literals("heap", ["auto", "always", "never"]).pipe(
      Flag.withDescription(
        "Snapshots of the heap, which show what keeps objects that may leak. auto: of a heap of at most 64 MB; each pauses the program"
      ),
      Flag.withDefault("auto" as const)
    ),
    accepted,
    quiet,
    program
  },
  (flags) => {
    const [file, ...args] = flags.program
    if (file === undefined) {
      return Effect.asVoid(fail(64, "missing program, for example: fiberscope run --for 30s -- node app.mjs"))
    }
    const options: RunOptions = { ...flags, command: [file, ...args] }
    return finish(run(options))
  }
).pipe(
  Command.withDescription("Observe an unchanged program and report leaks"),
  Command.withExamples([
    { command: "fiberscope run --for 30s -- node server.mjs", description: "Observe a server for half a minute" },
    {
      command: "fiberscope run --json report.json --strict -- npm start",
      description: "In CI: fail on a leak or an inconclusive run"
    }
  ])
)

const reportCommand = Command.make(
  "report",
  {
    recording: Argument.String("recording").pipe(Argument.withDescription("A file that fiberscope run --record wrote")),
    json,
    strict,
    leakExitCode,
    format,
    accepted,
    quiet
  },
  (flags) => finish(report(flags))
).pipe(
  Command.withDescription("Make the report of a run again from its recording"),
  Command.withExamples([
    {
      command: "fiberscope report run.ndjson --format markdown",
      description: "The report of an earlier run, for a comment on a pull request"
    }
  ])
)

const heapCommand = Command.make(
  "heap",
  {
    snapshot: Argument.String("snapshot").pipe(
      Argument.withDescription("A .heapsnapshot file of Node or Chrome, also compressed by gzip; - for standard input")
    ),
    older: Argument.String("older").pipe(
      Argument.withDescription("Older snapshots of the same process, oldest first"),
      Argument.variadic()
    ),
    json,
    format,
    strings: Flag.Boolean("strings").pipe(
      Flag.withDescription(
        "Show the beginning of the longest strings. They may be secrets; without this flag no content is shown"
      ),
      Flag.withDefault(false)
    ),
    quiet
  },
  (flags) => finish(heap(flags))
).pipe(
  Command.withDescription(
    "Explain a heap snapshot: the objects that retain memory, and the paths that grew since older ones"
  ),
  Command.withExamples([
    { command: "fiberscope heap app.heapsnapshot", description: "The objects that retain the memory of a process" },
    {
      command: "fiberscope heap later.heapsnapshot earlier.heapsnapshot",
      description: "The paths that grew in between"
    }
  ])
)

type Failure =
  | SnapshotError
  | ProgramError
  | OutputError
  | AcceptedError
  | AgentFilesError
  | AgentServerError
  | SocketFolderError
  | RecordingError

/** Sets the exit code, and prints a failure as one line. */
const finish = <R>(effect: Effect.Effect<number, Failure, R>): Effect.Effect<void, never, R> =>
  effect.pipe(
    Effect.catch((error) => fail(error._tag === "ProgramError" ? error.exitCode : 125, error.message)),
    Effect.catchDefect((defect) => fail(125, `internal error of fiberscope: ${describeDefect(defect)}`)),
    Effect.tap((code) => Effect.sync(() => void (process.exitCode = code))),
    Effect.asVoid
  )

const fail = (code: number, message: string): Effect.Effect<number> =>
  Effect.sync(() => {
    complain(message)
    process.exitCode = code
    return code
  })

/** The message of a defect and its place in the source. */
const describeDefect = (defect: unknown): string => {
  const place = defect instanceof Error ? /^ +at .*$/m.exec(defect.stack ?? "")?.[0].trim() : undefined
  return place === undefined ? messageOf(defect) : `${messageOf(defect)} (${place})`
}

const fiberscope = Command.make("fiberscope").pipe(
  Command.withDescription("Find leaks in running Effect programs and explain them"),
  Command.withExamples([
    { command: "fiberscope run --for 30s -- node app.mjs", description: "Observe a program for half a minute" }
  ]),
  Command.withSubcommands([runCommand, reportCommand, heapCommand])
)

// While a program runs, signals are passed on to it, and the tool ends after the program, with its report. The usual runMain would
// interrupt the run and so kill the program during its own shutdown.
const runMain = Runtime.makeRunMain(({ fiber, teardown }) => {
  const offs = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const listener = () => {
      if (process.listenerCount(signal) === 1) fiber.interruptUnsafe()
    }
    process.on(signal, listener)
    return () => process.off(signal, listener)
  })
  fiber.addObserver((exit) => {
    for (const off of offs) off()
    teardown(exit, (code) => {
      if (code !== 0) process.exit(code)
    })
  })
})

fiberscope.pipe(
  Command.run({ version }),
  Effect.catchTag("ShowHelp", ({ errors }) => Effect.sync(() => void (process.exitCode = errors.length > 0 ? 64 : 0))),
  Effect.provide([NodeServices.layer, Words.layer(process.argv.slice(2))]),
  runMain
)
