/** A malformed recording gives a report or one line with the reason: a real one is changed at random. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { readFileSync } from "node:fs"
import * as Diagnosis from "../../src/diagnosis/Diagnosis.ts"
import * as Recording from "../../src/observation/Recording.ts"
import * as Sources from "../../src/places/Sources.ts"
import { renderGithub } from "../../src/report/github.ts"
import { renderJson } from "../../src/report/json.ts"
import { renderMarkdown } from "../../src/report/markdown.ts"
import * as Report from "../../src/report/Report.ts"
import { renderText } from "../../src/report/text.ts"
import { fixture } from "../support/Fiberscope.ts"
import { controls } from "../support/hostile.ts"
import { random, seeds } from "../support/random.ts"
import type { Random } from "../support/random.ts"

const lines = readFileSync(fixture("recording.ndjson"), "utf8").trimEnd().split("\n")

type Json = null | boolean | number | string | Array<Json> | { [key: string]: Json }

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const nested = (depth: number, [open, close]: readonly [string, string]): string =>
  open.repeat(depth) + "1" + close.repeat(depth)

/** Values that JSON cannot represent, written as raw text. */
const raw: ReadonlyArray<string> = [
  "1e999",
  "-1e999",
  "1e308",
  "-0",
  "9007199254740993",
  "1e15",
  "-1e15",
  nested(20_000, ["[", "]"]),
  nested(20_000, ["{\"a\":", "}"]),
  "{\"__proto__\":{\"polluted\":1}}",
  "{\"__proto__\":1,\"constructor\":2,\"toString\":3}",
  "\"\\u001b[2J\\n::error::x\"",
  "\"\\ud800\"",
  "\"__proto__\"",
  "\"NaN\"",
  "\"1\"",
  "\"\"",
  "null",
  "true",
  "[]",
  "{}",
  "[null]",
  "[[]]",
  "1.5",
  "-1",
  "4294967296",
  "65535"
]

const placeholder = "@@raw@@"

/** Changes a value somewhere inside: it is removed, replaced, nested in itself, or repeated. */
const changed = (value: Json, chance: Random): Json => {
  const { integer, next, pick } = chance
  if (typeof value === "object" && value !== null && next() < 0.85) {
    const keys = Object.keys(value)
    if (keys.length > 0) {
      const key = pick(keys)
      const inner = Array.isArray(value) ? value[Number(key)]! : value[key]!
      if (next() < 0.2) {
        return Array.isArray(value)
          ? value.filter((_, i) => i !== Number(key))
          : Object.fromEntries(Object.entries(value).filter(([other]) => other !== key))
      }
      if (next() < 0.05 && isObject(value)) return { ...value, [pick(["extra", "of", "type", "t", "final"])]: inner }
      const other = changed(inner, chance)
      return Array.isArray(value)
        ? value.map((one, i) => i === Number(key) ? other : one)
        : { ...value, [key]: other }
    }
  }
  return pick<() => Json>([
    () => placeholder,
    () => placeholder,
    () => placeholder,
    () => [value],
    () => [value, value],
    () => ({ value }),
    () => typeof value === "number" ? value * 10 ** integer(-3, 18) : String(value),
    () => typeof value === "number" ? -value : null,
    () => typeof value === "number" ? integer(0, 70_000) : value
  ])()
}

/** A recording with a few errors. Sometimes its lines are reordered, missing or cut. */
const broken = (seed: number): string => {
  const chance = random(seed)
  const { integer, next, pick } = chance
  const out = [...lines]
  for (let i = integer(1, 3); i > 0; i--) {
    const at = next() < 0.1 ? 0 : integer(0, out.length - 1)
    const line = out[at]!
    const way = next()
    // A value that is already nested deeply cannot be written again.
    if (way < 0.75 && line.length < 20_000) {
      const value = (() => {
        try {
          return JSON.parse(line) as Json
        } catch {
          return line
        }
      })()
      out[at] = JSON.stringify(changed(value, chance)).replaceAll(`"${placeholder}"`, () => pick(raw))
    } else if (way < 0.8) out.splice(at, 1)
    else if (way < 0.85) out.splice(integer(0, out.length), 0, line)
    else if (way < 0.9) out[at] = line.slice(0, integer(0, line.length))
    else if (way < 0.95) out[at] = pick(["", "\u0000", "\u001b[2J", "\r", "{", "[]", "\ufeff", ...raw])
    else out[at] = out[integer(0, out.length - 1)]!
  }
  const text = out.join("\n")
  return next() < 0.1 ? text.slice(0, integer(0, text.length)) : text
}

const report = (text: string) =>
  Effect.map(
    Recording.replay(text, "run.ndjson", Sources.make("recorded")),
    ({ durationMs, end, observations }) =>
      Report.make({
        processes: observations.map((observation) => ({ observation, diagnosis: Diagnosis.diagnose(observation) })),
        end,
        durationMs,
        version: "0.1.0"
      })
  )

describe("a recording that is changed at random", () => {
  it.effect("has a report before any change", () =>
    Effect.gen(function*() {
      const made = yield* report(lines.join("\n"))
      assert.strictEqual(made.verdict, "leak")
      assert.strictEqual(made.findings[0]!.site.file, "/app/src/leaks.mjs")
    }))

  it.for(seeds(20))("gives a report or a one-line error after any change (%d of 20)", (part) => {
    const outcomes = { report: 0, refused: 0 }
    for (const seed of seeds(100)) {
      const text = broken(part * 100 + seed)
      const exit = Effect.runSyncExit(report(text))
      const name = `seed ${part * 100 + seed}`
      if (Exit.isFailure(exit)) {
        const [reason, ...others] = exit.cause.reasons
        assert.deepStrictEqual(others, [])
        assert(reason?._tag === "Fail", `${name}: ${String(reason)}`)
        assert.match(reason.error.message, /^run\.ndjson(?:, line \d+: .+| is not a recording of version 1: .+)$/, name)
        assert.notMatch(reason.error.message, controls, name)
        assert.notInclude(reason.error.message, "\n", name)
        assert.isAtMost(reason.error.message.length, 1000)
        outcomes.refused++
      } else {
        for (const render of [renderText, renderMarkdown, renderGithub, renderJson]) {
          assert.notMatch(render(exit.value), controls, name)
        }
        outcomes.report++
      }
    }
    assert.isUndefined(({} as { readonly polluted?: unknown }).polluted)
    assert.isAbove(outcomes.report, 5)
    assert.isAbove(outcomes.refused, 20)
  })
})
