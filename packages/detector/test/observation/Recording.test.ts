import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import type { Message, Tick } from "../../src/agent/Protocol.ts"
import { diagnose } from "../../src/diagnosis/Diagnosis.ts"
import * as Observation from "../../src/observation/Observation.ts"
import * as Recording from "../../src/observation/Recording.ts"

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
  // After it was asked to end, the program releases everything.
  writer.said(0, JSON.stringify({ ...tick(31), flow: Array.from({ length: 30 }, (_, born) => [2, born, 0, 5, 0]) }))
  writer.end({ command: ["node", "app.mjs"], code: undefined, signal: "SIGTERM", stoppedByTool: true }, 31_500)
  return lines.join("\n")
}

describe("Recording", () => {
  it.effect("gives the same diagnosis again, and the end of the program", () =>
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

  it.effect("is read up to its end when it stops in the middle of a line", () =>
    Effect.gen(function*() {
      const whole = record(said)
      const { durationMs, observations } = yield* Recording.replay(whole.slice(0, whole.length / 2), "run.ndjson")
      assert.strictEqual(observations[0]!.copies.length, 1)
      assert.isAbove(durationMs, 10_000)
      assert.isBelow(durationMs, 20_000)
    }))

  it.effect("gives the diagnosis at each time until the program was asked to end", () =>
    Effect.gen(function*() {
      const verdicts: Array<string> = []
      yield* Recording.replay(record(said), "run.ndjson", {
        onTick: (observation) => verdicts.push(diagnose(observation).verdict)
      })
      assert.strictEqual(verdicts.length, 30)
      assert.strictEqual(verdicts[0], "undecided")
      assert.strictEqual(verdicts.at(-1), "leak")
    }))

  it.effect("is refused with advice when it has another version, or is not a recording", () =>
    Effect.gen(function*() {
      for (const text of ["", "{}", "{\"fiberscope\":\"recording\",\"version\":99,\"command\":[]}", "hello"]) {
        const error = yield* Effect.flip(Recording.replay(text, "other.txt"))
        assert.match(error.message, /other\.txt is not a recording of version 1: make one with fiberscope run --record/)
      }
    }))

  it.effect("reports the file, the line and the reason of an error", () =>
    Effect.gen(function*() {
      const lines = record(said).split("\n")
      const says = (message: object) => JSON.stringify({ process: 0, says: message })
      const wrong: ReadonlyArray<readonly [line: string, why: RegExp]> = [
        [says({ type: "tick", t: 1 }), /Missing key at \["says"\]\["fibers"\]/],
        [says({ ...tick(1), t: "NaN" }), /Expected a number at \["says"\]\["t"\]/],
        [says(tick(1)).replace("1000", "1e999"), /Expected a number/],
        [says({ ...tick(1), flow: [[2, 0, -1, 0, 0]] }), /Expected quintuples of a site and whole numbers/],
        [says({ ...tick(1), live: [[1e6, 1]] }), /Expected pairs of a site and a whole number/],
        [says({ ...said[1], fork: { name: 3 } }), /Expected string/],
        [says({ type: "nothing" }), /Expected a message of an agent/],
        ["{\"process\":0,\"says\":null}", /Expected a message of an agent/],
        ["{\"process\":\"0\",\"says\":{}}", /Expected number/],
        ["{\"end\":{},\"durationMs\":1}", /Missing key at \["end"\]\["stoppedByTool"\]/],
        ["{\"freeze\":false}", /expected a message of a process/],
        ["{}", /expected a message of a process/],
        ["3", /expected an object/],
        ["null", /expected an object/],
        ["", /expected JSON/],
        ["\u001b[2J\n", /expected JSON/]
      ]
      for (const [line, why] of wrong) {
        const text = [...lines.slice(0, 5), line, ...lines.slice(5)].join("\n")
        const { message } = yield* Effect.flip(Recording.replay(text, "run.ndjson"))
        assert.match(message, /^run\.ndjson, line 6: /)
        assert.match(message, why, line)
        assert.notInclude(message, "\n")
      }
    }))

  it.effect("is refused when it exceeds a limit on kept data", () =>
    Effect.gen(function*() {
      const head = record([]).split("\n")[0]!
      const many = (count: number, line: (i: number) => object) =>
        [head, ...Array.from({ length: count }, (_, i) => JSON.stringify(line(i)))].join("\n")
      const site = (id: number) => ({ type: "site", id, chain: [] })
      const wrong: ReadonlyArray<readonly [text: string, why: RegExp]> = [
        [many(2001, (process) => ({ process, says: { type: "bye", t: 0 } })), /line 2002: more than 2000 processes/],
        [many(200_001, (i) => ({ process: 0, says: site(i % 65_536) })), /more than 200000 sites/],
        [
          many(4, (process) => ({
            process,
            says: { ...tick(1), flow: Array.from({ length: 65_000 }, (_, id) => [id, 0, 1, 0, 0]) }
          })),
          /line 5: too large: more than 200000 sites/
        ],
        [
          many(20_001, () => ({ process: 0, says: { type: "copy", t: 0, where: "" } })),
          /more than 20000 copies and problems/
        ],
        [
          many(21, (i) => ({
            process: 0,
            says: {
              type: "stack",
              id: i,
              frames: Array.from({ length: 25_000 }, (_, line) => ({ name: `${i}`, line }))
            }
          })),
          /line 22: too large: more than 500000 frames/
        ]
      ]
      for (const [text, why] of wrong) {
        const { message } = yield* Effect.flip(Recording.replay(text, "run.ndjson"))
        assert.match(message, why)
      }
    }))

  it.effect("is read from a file in any chunks as from memory", () =>
    Effect.gen(function*() {
      const folder = mkdtempSync(join(tmpdir(), "fiberscope-recording-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true, force: true })))
      const file = join(folder, "run.ndjson")
      // The line spans several chunks and has multi-byte characters at their borders.
      const long = { type: "problem", t: 1, probe: "é€😀".repeat(400_000), message: "" } as const
      const text = record([...said, long])
      for (const whole of [text, text.slice(0, text.length / 2), `${text}\n`]) {
        writeFileSync(file, whole)
        const [a, b] = [yield* Recording.replay(whole, file), yield* Recording.replayFile(file)]
        assert.deepStrictEqual({ end: b.end, durationMs: b.durationMs }, { end: a.end, durationMs: a.durationMs })
        assert.deepStrictEqual(diagnose(b.observations[0]!), diagnose(a.observations[0]!))
        assert.deepStrictEqual(b.observations[0]!.problems, a.observations[0]!.problems)
      }
      assert.match(
        (yield* Effect.flip(Recording.replayFile(join(folder, "none")))).message,
        /^cannot read .*none: ENOENT/
      )
    }).pipe(Effect.scoped))

  it.effect("is refused when a line in a file does not end", ({ skip }) =>
    Effect.gen(function*() {
      if (process.platform !== "linux") skip("there is no /dev/zero")
      assert.match((yield* Effect.flip(Recording.replayFile("/dev/zero"))).message, /^\/dev\/zero is not a recording/)
    }))
})
