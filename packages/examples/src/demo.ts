/**
 * `npm start`: runs each leaking program of the first examples, and its fixed version, under `fiberscope run`, and shows in one
 * table what it saw.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Report } from "@fiberscope/detector/Report"
import { sparkline } from "@fiberscope/detector/report/Sparkline"
import { styleFor } from "@fiberscope/detector/report/Style"
import type { Style } from "@fiberscope/detector/report/Style"
import { number, size } from "@fiberscope/detector/report/Units"
import { describeSite } from "@fiberscope/detector/Site"
import { Clock, Console, Effect, FileSystem, Path, Ref, Schedule, Schema } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { relative } from "node:path"
import { fileURLToPath } from "node:url"

const patterns = ["background-tasks", "uncancelled-workers", "rescheduling-connection", "unfinished-generator"] as const
const seconds = 28
const atOnce = 4 // programs: a batch of four keeps two cores awake and the whole tour below 90 seconds

interface Run {
  readonly pattern: string
  readonly variant: "leaky" | "fixed"
  readonly report: Report
}

const style = styleFor(process.stdout.isTTY, process.env)
const decodeReport = Schema.decodeUnknownEffect(Schema.fromJsonString(Report))
const here = fileURLToPath(new URL(".", import.meta.url))

const observe = Effect.fn("observe")(function*(folder: string, pattern: string, variant: "leaky" | "fixed") {
  const path = yield* Path.Path
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const json = path.join(folder, `${pattern}-${variant}.json`)
  const cli = fileURLToPath(import.meta.resolve("@fiberscope/detector/cli/main"))
  const program = path.join(here, pattern, `${variant}.ts`)
  yield* spawner.exitCode(ChildProcess.make(
    process.execPath,
    [cli, "run", "--quiet", "--for", `${seconds}s`, "--json", json, "--", process.execPath, program, "--for", "60s"],
    { stdin: "ignore", stdout: "ignore", stderr: "inherit" }
  ))
  const fs = yield* FileSystem.FileSystem
  const report = yield* decodeReport(yield* fs.readFileString(json))
  return { pattern, variant, report } satisfies Run
})

const verdictStyle: Readonly<Record<Report["verdict"], keyof Style>> = { leak: "bad", ok: "good", undecided: "unsure" }

const valuesOf = (report: Report, signal: string): ReadonlyArray<number> =>
  report.signals[signal]?.points.map(([, value]) => value) ?? []

const row = ({ pattern, report, variant }: Run, runs: ReadonlyArray<Run>): string => {
  const pair = runs.filter((run) => run.pattern === pattern)
  const curve = (signal: string, render: (value: number) => string) => {
    const values = valuesOf(report, signal)
    // The leaky program and its fixed version share a scale, on which three fibers are few.
    const highest = Math.max(signal === "fibers.live" ? 20 : 0, ...pair.flatMap((run) => valuesOf(run.report, signal)))
    const range = values.length === 0 ? "" : `${render(values[0]!)} → ${render(values.at(-1)!)}`
    return `${sparkline(values, 14, 0, highest).padEnd(14)} ${range.padEnd(18)}`
  }
  const site = report.findings.find(({ severity }) => severity !== "info")?.site
  const verdict = style[verdictStyle[report.verdict]](report.verdict.padEnd(9))
  const name = (variant === "leaky" ? pattern : "").padEnd(24) + variant
  return `${name}  ${curve("fibers.live", number)} ${curve("heap.floor", size)} ${verdict} ${
    site === undefined ? "" : describeSite(site)
  }`
    .trimEnd()
}

const table = (runs: ReadonlyArray<Run>): string =>
  [
    style.faint(
      `${"program".padEnd(31)}${"live fibers".padEnd(34)}${"heap floor".padEnd(34)}${"verdict".padEnd(10)}guilty site`
    ),
    ...runs.map((run) => row(run, runs))
  ].join("\n")

const next = (): string => {
  const leaky = relative(process.cwd(), `${here}background-tasks/leaky.ts`)
  return [
    "Where to go next",
    `  one of them in full    npm run -s fiberscope -- run --for 30s -- node ${leaky}`,
    "  a program of yours     npm run -s fiberscope -- run --for 30s -- node path/to/app.ts",
    "  what a verdict means   docs/rules.md",
    "  use it in a program    README.md, \"In a program\""
  ].join("\n")
}

const progress = Effect.fn("progress")(function*(done: Ref.Ref<number>, total: number) {
  const started = yield* Clock.currentTimeMillis
  const batches = Math.ceil(total / atOnce)
  yield* Effect.gen(function*() {
    const elapsed = Math.round(((yield* Clock.currentTimeMillis) - started) / 1000)
    const text = `${yield* Ref.get(done)} of ${total} programs observed, ${elapsed} of about ${
      batches * (seconds + 2)
    } s`
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
    else if (elapsed % 15 === 0) process.stderr.write(text + "\n")
  }).pipe(
    Effect.repeat(Schedule.fixed("1 second")),
    Effect.ensuring(Effect.sync(() => {
      if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
    }))
  )
})

const demo = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "fiberscope-demo-" })
  const programs = patterns.flatMap((pattern) => [[pattern, "leaky"], [pattern, "fixed"]] as const)
  const done = yield* Ref.make(0)
  yield* Console.log(
    `Four programs that leak, each beside its fixed version. Each is a plain Effect program that knows nothing of Fiberscope,\nobserved for ${seconds} seconds.\n`
  )
  yield* Effect.forkScoped(progress(done, programs.length))
  const runs = yield* Effect.forEach(
    programs,
    ([pattern, variant]) => Effect.tap(observe(folder, pattern, variant), () => Ref.update(done, (n) => n + 1)),
    { concurrency: atOnce }
  )
  yield* Console.log(table(runs))
  yield* Console.log(`\n${next()}`)
})

Effect.scoped(demo).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
