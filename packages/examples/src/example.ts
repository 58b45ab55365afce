/**
 * `npm run example`: lists the examples. With a name, it runs the leaky and the fixed version side by side under the detector.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { styleFor } from "@fiberscope/detector/Style"
import { Clock, Console, Duration, Effect, Fiber, Option, Schedule } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { relative } from "node:path"
import process from "node:process"
import { parseArgs } from "node:util"
import { catalog, find } from "./catalog.ts"
import type { Entry } from "./catalog.ts"
import { observe, programOf, tableHead, tableRow } from "./observe.ts"
import type { Run } from "./observe.ts"
import { durationOf } from "./pace.ts"

const style = styleFor(process.stdout.isTTY, process.env)
const live = process.stdout.isTTY && process.env["TERM"] !== "dumb"
const variants = ["leaky", "fixed"] as const

/** The parsed arguments. The detector needs at least 14 seconds for a leak and 25 seconds for an ok. */
interface Request {
  readonly entry: Entry | undefined
  readonly seconds: number | undefined
  readonly fast: boolean
}

const usage = "npm run example <name> -- [--for 30s] [--fast]"

const requestOf = (args: ReadonlyArray<string>): Request | string => {
  let parsed
  try {
    parsed = parseArgs({
      args: [...args],
      options: { for: { type: "string" }, fast: { type: "boolean" }, help: { type: "boolean", short: "h" } },
      allowPositionals: true
    })
  } catch (error) {
    return `${String((error as Error).message).split(". ")[0]}\n${usage}`
  }
  const { positionals: [name, ...more], values: { fast = false, for: time, help } } = parsed
  const limit = time === undefined ? Option.none() : durationOf(time)
  if (time !== undefined && Option.isNone(limit)) {
    return `--for ${time}: expected a number with a unit, such as 30s, 2m or 500ms\n${usage}`
  }
  const seconds = Option.getOrUndefined(Option.map(limit, Duration.toSeconds))
  if (name === undefined || help === true) return { entry: undefined, seconds, fast }
  if (more.length > 0) return `expected one example, not ${[name, ...more].join(", ")}\n${usage}`
  const found = find(name)
  if ("name" in found) return { entry: found, seconds, fast }
  const meant = found.map((entry) => entry.name).join(" or ")
  return `unknown example ${name}${
    meant === "" ? "" : `; did you mean ${meant}?`
  }\nTo list all examples: npm run example`
}

const list = (): string => {
  const width = Math.max(...catalog.map(({ name }) => name.length)) + 2
  return [
    style.strong(usage),
    "",
    ...catalog.map(({ name, title }) => `  ${name.padEnd(width)}${title}`),
    "",
    style.faint(
      "The leaky and the fixed version run side by side under the detector. Each program also runs alone, with node."
    )
  ].join("\n")
}

const show = (runs: ReadonlyArray<Run>): ReadonlyArray<string> => [
  style.faint(tableHead("       ")),
  ...runs.map((run, i) => tableRow(`${variants[i]}  `, run, runs, style))
]

/** Makes a function that repaints the same lines, each cut to the width of the terminal. */
const makePainter = () => {
  let painted = 0
  return (lines: ReadonlyArray<string>): void => {
    const up = painted === 0 ? "" : `\u001b[${painted}A`
    process.stdout.write(`${up}\u001b[J${lines.map((line) => `\u001b[?7l${line}\u001b[?7h\n`).join("")}`)
    painted = lines.length
  }
}

const pair = Effect.fn("pair")(function*({ look, name, title }: Entry, { fast, seconds = 30 }: Request) {
  yield* Console.log(`${style.strong(name)}: ${title}\n`)
  const runs: Array<Run> = variants.map((variant) => ({
    name: `${name}/${variant}`,
    values: () => [],
    report: undefined,
    stdout: []
  }))
  const started = yield* Clock.currentTimeMillis
  const paint = makePainter()
  const repaint = (last: string) => Effect.sync(() => paint([...show(runs), "", last]))
  const elapsed = Effect.map(Clock.currentTimeMillis, (now) => Math.min(seconds, Math.round((now - started) / 1000)))
  const note = Effect.flatMap(elapsed, (now) => repaint(style.faint(`${now} of ${seconds} s`)))
  if (!live) yield* Console.log(`observing both for ${seconds} s`)
  const painting = yield* Effect.forkChild(Effect.repeat(live ? note : Effect.void, Schedule.spaced("1 second")))
  yield* Effect.forEach(variants, (variant, i) =>
    Effect.map(
      observe(`${name}/${variant}`, {
        seconds,
        args: fast ? ["--fast"] : [],
        ...(live ? { see: (run: Run) => void (runs[i] = run) } : {})
      }),
      (run) => void (runs[i] = run)
    ), { concurrency: "unbounded" })
  yield* Fiber.interrupt(painting)
  if (live) yield* repaint("")
  else yield* Console.log(`${show(runs).join("\n")}\n`)
  for (const { stdout } of runs) yield* Console.log(stdout.join("\n") + "\n")
  yield* Console.log(style.strong("Points of interest"))
  for (const line of look) yield* Console.log(`  ${line}`)
  for (const { name, report } of runs) {
    if (report?.verdict === "undecided") yield* Console.log(`  ${name} is undecided: ${report.because}.`)
  }
  const fix = runs[0]!.report?.findings.find(({ severity }) => severity !== "info")?.fix
  if (fix !== undefined) yield* Console.log(`  The fix in the report: ${fix}`)
  const [leaky, fixed] = variants.map((variant) => relative(process.cwd(), programOf(`${name}/${variant}`)))
  yield* Console.log(`  The difference:   git diff --no-index ${leaky} ${fixed}`)
  yield* Console.log(`  The full report:  npm run -s fiberscope -- run --for 30s -- node ${leaky} --for 1m`)
})

const alone = Effect.fn("alone")(function*({ look, name, title }: Entry, program: string, { fast, seconds }: Request) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  yield* Console.log(`${style.strong(name)}: ${title}`)
  for (const line of look) yield* Console.log(`  ${line}`)
  yield* Console.log("")
  const args = [...fast ? ["--fast"] : [], ...seconds === undefined ? [] : ["--for", `${seconds}s`]]
  const code = yield* spawner.exitCode(ChildProcess.make(process.execPath, [programOf(program), ...args], {
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit"
  }))
  yield* Console.log(`\n${relative(process.cwd(), programOf(program))} ended with exit code ${code}`)
})

const request = requestOf(process.argv.slice(2))
if (typeof request === "string") {
  process.stderr.write(`${request}\n`)
  process.exitCode = 64
} else {
  const { entry } = request
  const program = entry === undefined
    ? Console.log(list())
    : entry.program === undefined
    ? pair(entry, request)
    : alone(entry, entry.program, request)
  // The reader has closed the pipe, as `head` does. End as after Ctrl-C, so that the programs end too.
  process.stdout.once("error", () => process.kill(process.pid, "SIGINT"))
  program.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
