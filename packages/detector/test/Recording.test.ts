import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Message, Tick } from "../src/agent/Protocol.ts"
import { diagnose } from "../src/Diagnosis.ts"
import * as Observation from "../src/Observation.ts"
import * as Recording from "../src/Recording.ts"

const tick = (second: number): Tick => ({
  type: "tick",
  t: second * 1000,
  fibers: { started: second * 5, ended: 0, abandoned: 0, live: second * 5, tenured: second * 5 },
  flow: [[2, second - 1, 5, 0, 0]],
  live: [[2, second * 5]],
  memory: { heapUsed: 1e6, heapLimit: 4e9, rss: 1e8, external: 0, arrayBuffers: 0 },
  floors: [],
  loop: { p50: 0, p99: 0, max: 0, utilization: 0 },
  gc: { pauseMs: 0, count: 0 },
  resources: {},
  own: { ms: 0, bytes: 0 }
})

const said: ReadonlyArray<Message> = [
  { type: "copy", t: 0, where: "effect", effect: "4.1.0" },
  { type: "site", id: 2, fork: { name: "handler", file: "/app/server.ts", line: 42, column: 3 }, chain: [] },
  ...Array.from({ length: 30 }, (_, i) => tick(i + 1))
]

const record = (messages: ReadonlyArray<Message>): string => {
  const lines: Array<string> = []
  const writer = Recording.makeWriter((line) => lines.push(line))
  writer.head(["node", "app.mjs"])
  for (const message of messages) writer.said(0, JSON.stringify(message))
  writer.freeze()
  // After it was asked to end, the program lets go of everything.
  writer.said(0, JSON.stringify({ ...tick(31), flow: Array.from({ length: 30 }, (_, born) => [2, born, 0, 5, 0]) }))
  writer.end({ command: ["node", "app.mjs"], code: undefined, signal: "SIGTERM", stoppedByTool: true }, 31_500)
  return lines.join("\n")
}

describe("Recording", () => {
  it.effect("makes the same diagnosis again, and knows how the program ended", () =>
    Effect.gen(function*() {
      const live = Observation.make()
      said.forEach(live.take)
      const replay = yield* Recording.replay(record(said), "run.ndjson")
      const [observation] = replay.observations
      assert.deepStrictEqual(diagnose(observation!), diagnose(live))
      assert.strictEqual(diagnose(observation!).verdict, "leak")
      assert.deepStrictEqual(replay.end, {
        command: ["node", "app.mjs"],
        code: undefined,
        signal: "SIGTERM",
        stoppedByTool: true
      })
      assert.strictEqual(replay.durationMs, 31_500)
    }))

  it.effect("is read as far as it goes when it stops in the middle of a line", () =>
    Effect.gen(function*() {
      const whole = record(said)
      const { durationMs, observations } = yield* Recording.replay(whole.slice(0, whole.length / 2), "run.ndjson")
      assert.strictEqual(observations[0]!.copies.length, 1)
      assert.isAbove(durationMs, 10_000)
      assert.isBelow(durationMs, 20_000)
    }))

  it.effect("tells what would have been said at each moment, until the program was asked to end", () =>
    Effect.gen(function*() {
      const verdicts: Array<string> = []
      yield* Recording.replay(record(said), "run.ndjson", {
        onTick: (observation) => verdicts.push(diagnose(observation).verdict)
      })
      assert.strictEqual(verdicts.length, 30)
      assert.strictEqual(verdicts[0], "undecided")
      assert.strictEqual(verdicts.at(-1), "leak")
    }))

  it.effect("of another version, and any other file, is refused with advice", () =>
    Effect.gen(function*() {
      for (const text of ["", "{}", "{\"fiberscope\":\"recording\",\"version\":99,\"command\":[]}", "hello"]) {
        const error = yield* Effect.flip(Recording.replay(text, "other.txt"))
        assert.match(error.message, /other\.txt is not a recording of version 1: make one with fiberscope run --record/)
      }
    }))
})
