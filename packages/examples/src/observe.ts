/**
 * Runs programs under `fiberscope run`, and follows their curves while they run.
 */
import type { Message } from "@fiberscope/detector/agent/Protocol"
import * as Observation from "@fiberscope/detector/Observation"
import { Report } from "@fiberscope/detector/Report"
import type { SignalName } from "@fiberscope/detector/Signal"
import { describeSite } from "@fiberscope/detector/Site"
import { sparkline } from "@fiberscope/detector/Sparkline"
import type { Style } from "@fiberscope/detector/Style"
import { number, size } from "@fiberscope/detector/Units"
import { Effect, FileSystem, Option, Path, Schedule, Schema } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import process from "node:process"
import { fileURLToPath } from "node:url"

const cli = fileURLToPath(import.meta.resolve("@fiberscope/detector/cli"))
const decodeReport = Schema.decodeUnknownEffect(Schema.fromJsonString(Report))

/** The path of a program of this package. */
export const programOf = (name: string): string => fileURLToPath(new URL(`./${name}.ts`, import.meta.url))

/** The state of a run: curves while the program runs, and the report after its end. */
export interface Run {
  readonly name: string
  readonly values: (signal: SignalName) => ReadonlyArray<number>
  readonly report: Report | undefined
  readonly stdout: ReadonlyArray<string>
}

/** Observes a program for some seconds. `see` is called whenever there is new data. */
export const observe = Effect.fn("observe")(
  function*(name: string, options: {
    readonly seconds: number
    readonly args?: ReadonlyArray<string>
    readonly see?: (run: Run) => void
  }) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "fiberscope-example-" })
    const [json, record] = [path.join(folder, "report.json"), path.join(folder, "recording.ndjson")]
    const observation = Observation.make()
    const values = (signal: SignalName) => observation.series(signal).map(({ value }) => value)
    if (options.see !== undefined) {
      const { see } = options
      const look = Effect.tap(follow(record), (messages) =>
        Effect.sync(() => {
          for (const message of messages) observation.take(message)
          see({ name, values, report: undefined, stdout: [] })
        }))
      yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced("1 second")))
    }
    // The program runs longer than it is observed, because a program that ends by itself releases its memory.
    const program = [process.execPath, programOf(name), ...options.args ?? [], "--for", `${options.seconds + 60}s`]
    const outputs = ["--json", json, ...options.see === undefined ? [] : ["--record", record]]
    const stdout = yield* spawner.string(ChildProcess.make(
      process.execPath,
      [cli, "run", "--quiet", "--for", `${options.seconds}s`, ...outputs, "--", ...program],
      { stdin: "ignore", stderr: "inherit" }
    ))
    const report = yield* decodeReport(yield* fs.readFileString(json))
    return {
      name,
      values: (signal) => report.signals[signal]?.points.map(([, value]) => value) ?? [],
      report,
      stdout: stdout.trimEnd().split("\n")
    } satisfies Run as Run
  },
  Effect.scoped
)

const decodeLine = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ says: Schema.Record(Schema.String, Schema.Unknown) }))
)

const mostAtOnce = 4 * 1024 * 1024 // bytes; one second of a recording has about a hundredth of that

/** Reads the complete lines that were added to a recording since the last call. */
const follow = (file: string) => {
  let read = 0n
  let rest = ""
  const decoder = new TextDecoder()
  return Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    if (!(yield* fs.exists(file))) return []
    const opened = yield* fs.open(file)
    yield* opened.seek(read, "start")
    const bytes = yield* opened.readAlloc(mostAtOnce)
    if (Option.isNone(bytes)) return []
    read += BigInt(bytes.value.length)
    const lines = (rest + decoder.decode(bytes.value, { stream: true })).split("\n")
    rest = lines.pop()!
    // The agent has the same version as this code, so its messages are not validated.
    return lines.flatMap((line) => Option.toArray(decodeLine(line))).map(({ says }) => says as unknown as Message)
  }).pipe(Effect.scoped)
}

const verdictStyle: Readonly<Record<Report["verdict"], keyof Style>> = { leak: "bad", ok: "good", undecided: "unsure" }

/** The header of a table of runs; the first column is as wide as `first`. */
export const tableHead = (first: string): string =>
  `${first}live fibers                       heap floor                        verdict   leaking site`

/** A line of a table: curves on the same scale as those of `beside`, the verdict and the leaking site. */
export const tableRow = (first: string, run: Run, beside: ReadonlyArray<Run>, style: Style): string => {
  const curve = (signal: SignalName, render: (value: number) => string) => {
    const values = run.values(signal)
    // The leaky and the fixed version share a scale. Its least range keeps three fibers, or a tenth of the heap, small.
    const all = beside.flatMap((other) => other.values(signal))
    const highest = Math.max(signal === "fibers.live" ? 20 : 0, ...all)
    const lowest = signal === "fibers.live" ? 0 : Math.min(highest * 0.8, ...all)
    const range = values.length === 0 ? "" : `${render(values[0]!)} → ${render(values.at(-1)!)}`
    return `${sparkline(values, 14, lowest, highest).padEnd(14)} ${range.padEnd(18)}`
  }
  const { report } = run
  const site = report?.findings.find(({ severity }) => severity !== "info")?.site
  const verdict = report === undefined ? "" : style[verdictStyle[report.verdict]](report.verdict.padEnd(9))
  return `${first}${curve("fibers.live", number)} ${curve("heap.floor", size)} ${verdict} ${
    site === undefined ? "" : describeSite(site)
  }`
    .trimEnd()
}
