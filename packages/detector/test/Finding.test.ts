import { assert, describe, it } from "@effect/vitest"
import { decidedBy, fingerprint, isLeak, make } from "../src/Finding.ts"
import type { Site } from "../src/Finding.ts"
import { describeSite, libraryName, siteOf } from "../src/places/Site.ts"
import { finding } from "./support/finding.ts"

describe("Finding", () => {
  const site: Site = { name: "handler", file: "/opt/app/src/server.ts", line: 42, column: 7 }

  it("has a fingerprint that stays when lines move or the program does", () => {
    const print = fingerprint("fiber-growth", site)
    assert.strictEqual(print, "fiber-growth:handler@src/server.ts")
    assert.strictEqual(fingerprint("fiber-growth", { ...site, line: 1, column: 1 }), print)
    assert.strictEqual(fingerprint("fiber-growth", { ...site, file: "/srv/app/src/server.ts" }), print)
    assert.strictEqual(fingerprint("fiber-growth", { ...site, file: "C:\\app\\src\\server.ts" }), print)
  })

  it("has another fingerprint for another kind, function or file, and one for what has no place", () => {
    const prints = [
      fingerprint("fiber-growth", site),
      fingerprint("memory-growth", site),
      fingerprint("fiber-growth", { ...site, name: "other" }),
      fingerprint("fiber-growth", { ...site, file: "/opt/app/src/other.ts" }),
      fingerprint("fiber-growth", { name: "handler" })
    ]
    assert.strictEqual(new Set(prints).size, prints.length)
    assert.strictEqual(prints.at(-1), "fiber-growth:handler")
  })

  it("names the row that decided, with a finite number of standard deviations", () => {
    assert.deepStrictEqual(decidedBy({ row: "growing", z: 4.26 }), { row: "growing", z: 4.3 })
    assert.deepStrictEqual(decidedBy({ row: "minima", z: Infinity }), { row: "minima", z: 99 })
  })

  it("has defaults for everything but its kind, rule, summary, site and advice", () => {
    const made = make({ kind: "own-kind", rule: "Own", summary: "it grows", site: { name: "f" }, fix: "Stop." })
    assert.deepInclude(made, {
      severity: "error",
      count: 0,
      evidence: [],
      fingerprint: "own-kind:f",
      docs: "docs/rules.md#rules-of-your-own"
    })
    assert.isFalse("decided" in made)
  })

  it("is a leak unless it is a note or was accepted", () => {
    assert.isTrue(isLeak(finding("memory-growth")))
    assert.isTrue(isLeak(finding("memory-growth", { severity: "warning" })))
    assert.isFalse(isLeak(finding("memory-growth", { severity: "info" })))
    assert.isFalse(isLeak(finding("memory-growth", { accepted: { reason: "known", until: "2999-01-01" } })))
  })
})

describe("Site", () => {
  it("has a path for a URL, and a name for what has none", () => {
    assert.deepStrictEqual(siteOf({ name: "", file: "file:///app/a%20b.ts", line: 3, column: 4 }), {
      name: "(anonymous)",
      file: "/app/a b.ts",
      line: 3,
      column: 4
    })
    assert.deepStrictEqual(siteOf({ name: "poll", file: "" }), { name: "poll" })
    assert.deepStrictEqual(siteOf({ name: "poll", file: "file://%%" }), { name: "poll", file: "file://%%" })
  })

  it("is described by its name and the end of its path", () => {
    const file = "/opt/app/src/jobs.ts"
    assert.deepStrictEqual([
      describeSite({ name: "poll", file, line: 3, column: 9 }),
      describeSite({ name: "poll", file, line: 3 }),
      describeSite({ name: "(anonymous)", file, line: 3, column: 9 }),
      describeSite({ name: "poll" })
    ], ["poll (src/jobs.ts:3:9)", "poll (src/jobs.ts:3)", "src/jobs.ts:3:9", "poll"])
  })

  it("names a library's function as its users do", () => {
    const name = (file: string) => libraryName({ name: "update", file })
    assert.deepStrictEqual([
      name("/app/node_modules/effect/dist/Metric.js"),
      name("/app/node_modules/.pnpm/effect@4.1.0/node_modules/effect/dist/internal/metric.js"),
      name("/app/node_modules/@scope/lib/dist/index.cjs"),
      name("/app/src/metric.ts")
    ], ["Metric.update of effect", "metric.update of effect", "update of @scope/lib", "update"])
  })
})
