/**
 * `npm start`: runs the leaking and the fixed version of the first examples under `fiberscope run`, and shows the results in one table.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { styleFor } from "@fiberscope/detector/Style"
import { Clock, Console, Effect, Ref, Schedule } from "effect"
import { relative } from "node:path"
import process from "node:process"
import { observe, programOf, tableHead, tableRow } from "./observe.ts"
import type { Run } from "./observe.ts"

const patterns = ["background-tasks", "uncancelled-workers", "rescheduling-connection", "unfinished-generator"] as const
const variants = ["leaky", "fixed"] as const
const seconds = 28
const atOnce = 4 // programs: a batch of four keeps two cores busy and the whole tour below 90 seconds

const style = styleFor(process.stdout.isTTY, process.env)

const table = (runs: ReadonlyArray<Run>): string =>
  [
    style.faint(tableHead("program".padEnd(31))),
    ...patterns.flatMap((pattern) => {
      const pair = runs.filter(({ name }) => name.startsWith(`${pattern}/`))
      return pair.map((run, i) => tableRow(`${(i === 0 ? pattern : "").padEnd(24)}${variants[i]}  `, run, pair, style))
    })
  ].join("\n")

const next = (): string => {
  const leaky = relative(process.cwd(), programOf("background-tasks/leaky"))
  return [
    "Next steps",
    "  list all examples      npm run example",
    `  the full report of one npm run -s fiberscope -- run --for 30s -- node ${leaky}`,
    "  observe your program   npm run -s fiberscope -- run --for 30s -- node path/to/app.ts",
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
  const programs = patterns.flatMap((pattern) => variants.map((variant) => `${pattern}/${variant}`))
  const done = yield* Ref.make(0)
  yield* Console.log(
    `Four programs that leak, each beside its fixed version. Each is observed for ${seconds} seconds,\nwithout any change in the program.\n`
  )
  yield* Effect.forkScoped(progress(done, programs.length))
  const runs = yield* Effect.forEach(
    programs,
    (name) => Effect.tap(observe(name, { seconds }), () => Ref.update(done, (n) => n + 1)),
    { concurrency: atOnce }
  )
  yield* Console.log(table(runs))
  yield* Console.log(`\n${next()}`)
})

// The reader has closed the pipe, as `head` does. End as after Ctrl-C, so that the programs end too.
process.stdout.once("error", () => process.kill(process.pid, "SIGINT"))
Effect.scoped(demo).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
