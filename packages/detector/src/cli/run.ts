/**
 * `fiberscope run`: observes a program that was never changed, from its start to its end, and says what leaks.
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs"
import process from "node:process"
import { fileURLToPath } from "node:url"
import * as Accepted from "../Accepted.ts"
import { environment } from "../agent/Protocol.ts"
import type { AgentOptions } from "../agent/Protocol.ts"
import * as Diagnosis from "../Diagnosis.ts"
import * as Report from "../Report.ts"
import { renderGithub } from "../report/github.ts"
import { renderMarkdown } from "../report/markdown.ts"
import { styleFor } from "../report/Style.ts"
import { renderText } from "../report/text.ts"
import { suspectSites } from "../rules/FiberGrowth.ts"
import { agentUrl } from "./AgentFiles.ts"
import type { AgentServer } from "./AgentServer.ts"
import * as Agents from "./AgentServer.ts"
import * as LiveView from "./LiveView.ts"
import type { Program, ProgramExit } from "./Program.ts"
import * as Programs from "./Program.ts"
import { version } from "./version.ts"

/** What can be asked of a run. */
export interface RunOptions {
  readonly command: readonly [string, ...Array<string>]
  readonly duration: Option.Option<Duration.Duration>
  readonly json: Option.Option<string>
  readonly record: Option.Option<string>
  readonly gc: boolean
  readonly sampling: number
  readonly strict: boolean
  readonly leakExitCode: number
  readonly quiet: boolean
  readonly format: Format
  readonly sites: "named" | "all"
  /** The file of accepted findings; `fiberscope.accepted.json` of the current folder, where there is one, unless told. */
  readonly accepted: Option.Option<string>
}

/** How the report is written to stderr. */
export type Format = "pretty" | "json" | "github" | "markdown"

/** A file that was asked for cannot be written. */
export class OutputError extends Data.TaggedError("OutputError")<{ readonly message: string }> {}

const intervalMs = 1000
const graceMs = 5000
const readingMs = 2000
const readingShare = 0.015

/** Runs to the end and answers the exit code. */
export const run = (options: RunOptions) =>
  Effect.scoped(Effect.gen(function*() {
    const recording = yield* openRecording(options.record)
    yield* Option.match(options.json, { onNone: () => Effect.void, onSome: checkWritable })
    const accept = yield* readAccepted(options.accepted)
    const agents = yield* Agents.make(recording)
    const started = yield* Clock.currentTimeMillis
    const program = yield* Programs.start(options.command, yield* agentEnvironment(agents, options), agents.freeze)
    const { exit, stoppedByTool } = yield* Effect.scoped(Effect.gen(function*() {
      yield* watch(agents, started, options)
      return yield* untilEnd(program, agents, options)
    }))
    yield* lastWords(agents)
    const durationMs = (yield* Clock.currentTimeMillis) - started
    const report = Report.make({
      processes: agents.processes().map(({ observation }) => ({
        observation,
        diagnosis: Diagnosis.diagnose(observation, { accept })
      })),
      end: {
        command: options.command,
        code: stoppedByTool ? undefined : exit.code,
        signal: exit.signal,
        stoppedByTool
      },
      durationMs,
      version
    })
    if (!options.quiet) yield* print(report, options.format)
    yield* Option.match(options.json, { onNone: () => Effect.void, onSome: (file) => writeReport(file, report) })
    return exitCode(report, exit, program, stoppedByTool, options)
  }))

/** Looks at suspects while the program runs, and shows what is seen. */
const watch = (
  agents: AgentServer,
  started: number,
  { duration, quiet }: RunOptions
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const look = () =>
      agents.processes().map(({ observation }) => ({ observation, diagnosis: Diagnosis.diagnose(observation) }))
    let seen = look()
    yield* Effect.forkScoped(Effect.repeat(
      Effect.sync(() => {
        inspectSuspects(agents)
        seen = look()
      }),
      Schedule.spaced("2 seconds")
    ))
    if (quiet) return
    yield* LiveView.show(() => ({
      elapsedMs: clock.currentTimeMillisUnsafe() - started,
      limitMs: Option.getOrUndefined(Option.map(duration, Duration.toMillis)),
      processes: seen
    }))
  })

const agentEnvironment = (agents: AgentServer, options: RunOptions) =>
  Effect.map(agentUrl, (url) => {
    const agentOptions: AgentOptions = {
      intervalMs,
      samplingBytes: options.sampling,
      readingMs: options.gc ? intervalMs : options.sampling > 0 ? readingMs : 0,
      readingShare: options.gc ? 0 : readingShare,
      sites: options.sites
    }
    return {
      [environment.socket]: agents.path,
      [environment.options]: JSON.stringify(agentOptions),
      NODE_OPTIONS: [
        process.env["NODE_OPTIONS"] ?? "",
        ...mayRead(options.command, url),
        `--import=${JSON.stringify(url)}`
      ]
        .join(" ").trim()
    }
  })

/** A program under the permission model may read nothing it is not told; the agent's own files are no secret. */
const mayRead = (command: ReadonlyArray<string>, url: string): ReadonlyArray<string> => {
  const given = [...command, process.env["NODE_OPTIONS"] ?? ""]
  if (!given.some((part) => /--(experimental-)?permission\b/.test(part))) return []
  return [`--allow-fs-read=${JSON.stringify(fileURLToPath(new URL("../*", url)))}`]
}

/** Waits for the end; when the time is over, the tool ends the program, and that is no failure of it. */
const untilEnd = (
  program: Program,
  agents: AgentServer,
  { duration, gc, sampling }: RunOptions
): Effect.Effect<{ readonly exit: ProgramExit; readonly stoppedByTool: boolean }> =>
  Effect.gen(function*() {
    if (Option.isNone(duration)) return { exit: yield* program.exit, stoppedByTool: false }
    const exit = yield* Effect.timeoutOption(program.exit, duration.value)
    return Option.isSome(exit)
      ? { exit: exit.value, stoppedByTool: false }
      : { exit: yield* stop(program, agents, gc || sampling > 0), stoppedByTool: true }
  })

const stop = (program: Program, agents: AgentServer, readings: boolean): Effect.Effect<ProgramExit> =>
  Effect.gen(function*() {
    if (readings) yield* lastReading(agents)
    agents.freeze()
    program.kill("SIGTERM")
    signalOthers(agents, program, "SIGTERM")
    const exit = yield* Effect.timeoutOption(program.exit, Duration.millis(graceMs))
    if (Option.isNone(exit)) program.kill("SIGKILL")
    const ended = yield* program.exit
    signalOthers(agents, program, "SIGKILL")
    return ended
  })

/** What the program started may not end with it: `npm start` and shells pass no signal on. */
const signalOthers = (agents: AgentServer, program: Program, signal: NodeJS.Signals): void => {
  for (const { connected, observation } of agents.processes()) {
    const pid = observation.hello?.pid
    if (pid === undefined || pid === program.pid || !connected()) continue
    try {
      process.kill(pid, signal)
    } catch {
      // It has gone.
    }
  }
}

/** The program is about to be stopped: a last reading costs it nothing, and shows the most. */
const lastReading = (agents: AgentServer): Effect.Effect<void> =>
  Effect.suspend(() => {
    const asked = agents.processes().filter(({ connected }) => connected())
    const before = asked.map(({ observation }) => observation.readings)
    for (const { ask } of asked) ask({ type: "read" })
    return Effect.sleep("20 millis").pipe(
      Effect.repeat({
        times: 100,
        while: () => asked.some(({ connected, observation }, i) => connected() && observation.readings === before[i])
      }),
      Effect.asVoid
    )
  })

/** What the agents said before the program ended may still be on its way. */
const lastWords = (agents: AgentServer): Effect.Effect<void> =>
  Effect.suspend(() =>
    agents.processes().some(({ connected }) => connected()) ? Effect.sleep("20 millis") : Effect.void
  ).pipe(
    Effect.repeat({ times: 10, while: () => agents.processes().some(({ connected }) => connected()) }),
    Effect.asVoid
  )

const inspectSuspects = (agents: AgentServer): void => {
  for (const { ask, observation } of agents.processes()) {
    for (const site of suspectSites(observation)) ask({ type: "inspect", site, most: 5 })
  }
}

const print = (report: Report.Report, format: Format): Effect.Effect<void> =>
  Effect.sync(() => {
    try {
      writeSync(2, render(report, format))
    } catch {
      // Nobody reads: the exit code still tells.
    }
  })

const render = (report: Report.Report, format: Format): string => {
  switch (format) {
    case "json":
      return JSON.stringify(Schema.encodeSync(Report.Report)(report), undefined, 2) + "\n"
    case "github":
      return renderGithub(report, process.cwd())
    case "markdown":
      return renderMarkdown(report)
    case "pretty":
      return renderText(report, {
        style: styleFor(process.stderr.isTTY, process.env),
        width: process.stderr.isTTY ? process.stderr.columns : undefined,
        source: readSource
      })
  }
}

const readSource = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

const readAccepted = (file: Option.Option<string>) =>
  Effect.gen(function*() {
    const path = Option.getOrElse(file, () => "fiberscope.accepted.json")
    if (Option.isNone(file) && !existsSync(path)) return Accepted.mark([], 0)
    const text = yield* Effect.try({
      try: () => readFileSync(path, "utf8"),
      catch: (error) =>
        new Accepted.AcceptedError({ message: `${path}: ${error instanceof Error ? error.message : String(error)}` })
    })
    return Accepted.mark(yield* Accepted.parse(text, path), yield* Clock.currentTimeMillis)
  })

const checkWritable = (file: string): Effect.Effect<void, OutputError> =>
  Effect.try({ try: () => closeSync(openSync(file, "a")), catch: (error) => cannotWrite(file, error) })

const writeReport = (file: string, report: Report.Report): Effect.Effect<void, OutputError> =>
  Effect.flatMap(
    Effect.orDie(Schema.encodeEffect(Report.Report)(report)),
    (encoded) =>
      Effect.try({
        try: () => writeFileSync(file, JSON.stringify(encoded, undefined, 2) + "\n"),
        catch: (error) => cannotWrite(file, error)
      })
  )

const openRecording = (file: Option.Option<string>): Effect.Effect<(line: string) => void, OutputError, Scope.Scope> =>
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
              writeSync(2, `fiberscope: the recording stops here: ${String(error)}\n`)
            }
          }
        }
      )
  })

const cannotWrite = (file: string, error: unknown): OutputError =>
  new OutputError({ message: `cannot write ${file}: ${error instanceof Error ? error.message : String(error)}` })

const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15
}

const exitCode = (
  report: Report.Report,
  exit: ProgramExit,
  program: Program,
  stoppedByTool: boolean,
  options: RunOptions
): number => {
  if (!stoppedByTool && exit.code !== undefined && exit.code !== 0 && program.passedOn() === undefined) return exit.code
  if (!stoppedByTool && exit.signal !== undefined && program.passedOn() === undefined) {
    return 128 + (signalNumbers[exit.signal] ?? 0)
  }
  if (report.verdict === "leak") return options.leakExitCode
  if (report.verdict === "undecided" && options.strict) return 24
  const passed = program.passedOn()
  // Somebody stopped both: whoever waits for this process is told how, as if the tool were not there.
  if (passed !== undefined) return exit.code ?? 128 + (signalNumbers[passed] ?? 0)
  return 0
}
