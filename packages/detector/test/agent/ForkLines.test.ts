import { assert, describe, it } from "@effect/vitest"
import { makeGuard } from "@fiberscope/core/FiberCensus"
import { Effect } from "effect"
import type { ForkLines } from "../../src/agent/ForkLines.ts"
import { makeForkLines } from "../../src/agent/ForkLines.ts"

const url = "file:///app/node_modules/effect/dist/Effect.js"
const source = [
  "export const forkDetach = internal.forkDetach;",
  "export const runFork = internal.runFork;",
  "export const forkLift = internal.forkLift;",
  "export const map = internal.map;"
].join("\n")

/** Effect's module as it is loaded, with functions that return their arguments. */
const load = (lines: ForkLines) => {
  const answers = (name: string) => Object.defineProperty((...args: Array<unknown>) => args, "name", { value: name })
  const internal = { forkDetach: answers("forkDetach"), runFork: answers("runFork"), forkLift: 1, map: answers("map") }
  const code = lines.rewrite(url, source)!.replaceAll("export const ", "exports.")
  const exports: Record<string, (...args: ReadonlyArray<unknown>) => unknown> = {}
  new Function("internal", "exports", code)(internal, exports)
  return { ...exports, internal } as typeof exports & { readonly internal: typeof internal }
}

const using = <A>(body: (lines: ForkLines) => A): A => {
  const failures: Array<string> = []
  const lines = makeForkLines(() => 0, makeGuard((name, message) => failures.push(`${name}: ${message}`)))
  try {
    return body(lines)
  } finally {
    assert.deepStrictEqual(failures, [])
    lines.stop()
  }
}

describe("ForkLines", () => {
  it("wraps only the functions that fork, and passes their arguments on unchanged", () => {
    using((lines) => {
      const { forkDetach, forkLift, internal, map, runFork } = load(lines)
      assert.strictEqual(map, internal.map)
      assert.strictEqual(forkLift as unknown, 1)
      assert.deepStrictEqual(forkDetach!(1, 2), [1, 2])
      assert.deepStrictEqual([runFork!.name, runFork!.length], ["runFork", internal.runFork.length])
      assert.isUndefined(lines.rewrite("file:///app/node_modules/effect/dist/Queue.js", source))
    })
  })

  it("takes no stack without a request", () => {
    using((lines) => {
      const { runFork } = load(lines)
      const effect = Effect.succeed(1)
      runFork!(effect)
      assert.deepStrictEqual([lines.frameOf(effect), lines.cost().stacks, lines.calls()], [undefined, 0, 1])
    })
  })

  it("takes the line of one in four forks until the rate is changed", () => {
    using((lines) => {
      const { runFork } = load(lines)
      const effects = Array.from({ length: 40 }, (_, i) => Effect.succeed(i))
      lines.sampleEvery(4)
      for (const effect of effects) runFork!(effect)
      const known = effects.map((effect) => lines.frameOf(effect)).filter((frame) => frame !== undefined)
      assert.strictEqual(known.length, 10)
      assert.match(String(known[0]!.stack()), /:\d+:\d+$/)
      assert.strictEqual(lines.calls(), 40)
      lines.sampleEvery(0)
      const later = Effect.succeed("later")
      runFork!(later)
      assert.isUndefined(lines.frameOf(later))
    })
  })

  it("takes the line when a curried function gets its effect in the next call", () => {
    using((lines) => {
      const internal = { runForkWith: () => (effect: unknown) => effect }
      const code = lines.rewrite(url, "export const runForkWith = internal.runForkWith;")!
      const exports: { runForkWith?: typeof internal.runForkWith } = {}
      new Function("internal", "exports", code.replace("export const ", "exports."))(internal, exports)
      lines.sampleEvery(1)
      const effect = Effect.succeed(1)
      assert.strictEqual(exports.runForkWith!()(effect), effect)
      assert.isDefined(lines.frameOf(effect))
    })
  })
})
