/**
 * `npm run example`: the list, the suggestions for a typo, and the output for a pair.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { catalog, find } from "../src/catalog.ts"
import { observe } from "../src/observe.ts"
import { run } from "./support.ts"

const names = catalog.map(({ name }) => name)
const escape = "\u001b"

describe("npm run example", () => {
  it("lists every example in one line", async () => {
    const folders = readdirSync(fileURLToPath(new URL("../src", import.meta.url)), { withFileTypes: true })
      .filter((entry) => entry.isDirectory()).map(({ name }) => name)
    assert.sameMembers([...names], folders)
    const { code, stderr, stdout } = await run("example", [])
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    for (const { name, title } of catalog) assert.match(stdout, new RegExp(`^  ${name} +${title}$`, "m"))
    assert.notInclude(stdout, escape)
  })

  it.each(
    [
      ["lisners", ["listeners"]],
      ["backgroud-task", ["background-tasks"]],
      ["queue", ["unbounded-queue"]],
      ["task", ["background-tasks", "global-task-list"]],
      ["TOUR", ["detector-tour"]],
      ["xyzzyx", []]
    ] as const
  )("suggests examples for %s", (typo, meant) => {
    const found = find(typo)
    assert.deepStrictEqual("name" in found ? found : found.map(({ name }) => name), [...meant])
  })

  it.concurrent.each(
    [
      [["lisners"], "unknown example lisners; did you mean listeners?"],
      [["listeners", "--for", "ever"], "--for ever: expected a number with a unit"],
      [["listeners", "queue"], "expected one example, not listeners, queue"],
      [["listeners", "--slow"], "Unknown option '--slow'"]
    ] as const
  )("reports the wrong argument of %j", async (args, message) => {
    const { code, stderr, stdout } = await run("example", args)
    assert.deepStrictEqual({ code, stdout }, { code: 64, stdout: "" })
    assert.include(stderr, message)
  })

  it.concurrent("runs a pair side by side, and prints what to look at", async () => {
    const { code, stderr, stdout } = await run("example", ["listeners", "--fast", "--for", "4s"])
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    assert.notInclude(stdout, escape)
    assert.match(stdout, /^leaky {2}[▁-█]+ .*undecided$/m)
    assert.match(stdout, /^fixed {2}[▁-█]+ .*undecided$/m)
    assert.match(stdout, /^listeners, leaky: 500 requests a second$/m)
    assert.match(stdout, /^at the end, after \d+ requests: 0 listeners are registered$/m)
    assert.include(stdout, "Points of interest\n  heap floor: 1 KB more after each request")
    assert.match(stdout, /listeners\/leaky is undecided: .* too short/)
    assert.match(stdout, /git diff --no-index .*listeners\/leaky\.ts .*listeners\/fixed\.ts$/m)
  })

  it.concurrent("uses colours with FORCE_COLOR, and not with NO_COLOR", async () => {
    const coloured = await run("example", [], { env: { FORCE_COLOR: "1" } })
    assert.include(coloured.stdout, escape)
    const plain = await run("example", [], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } })
    assert.notInclude(plain.stdout, escape)
  })

  it.concurrent("runs an example that is a single program", async () => {
    const { code, stdout } = await run("example", ["leak-free-application", "--fast", "--for", "500ms"])
    assert.strictEqual(code, 0)
    assert.include(stdout, "8 tasks are running, and 3 resources are open")
    assert.match(stdout, /application\.ts ended with exit code 0$/m)
  })
})

// A real program under the real tool.
it.live("observe shows the curves while the program runs", () =>
  Effect.gen(function*() {
    const seen: Array<number> = []
    const { report, stdout, values } = yield* observe("background-tasks/leaky", {
      seconds: 4,
      args: ["--fast"],
      see: (run) => {
        assert.isUndefined(run.report)
        seen.push(run.values("fibers.live").at(-1) ?? 0)
      }
    })
    assert.isAbove(Math.max(...seen), 100)
    assert.isAtLeast(values("fibers.live").at(-1)!, Math.max(...seen))
    assert.strictEqual(report?.program.stoppedByTool, true)
    assert.lengthOf(stdout, 3)
  }).pipe(Effect.provide(NodeServices.layer)))
