import { assert, describe, it } from "@effect/vitest"
import { confidenceOf, convicts, fingerprint } from "../src/Finding.ts"
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

  it("is as sure as the normal distribution is, and never quite sure", () => {
    // Tables: Φ(0) = 0.5, Φ(1) = 0.841, Φ(1.645) = 0.950, Φ(2.326) = 0.990.
    assert.deepStrictEqual([0, 1, 1.645, 2.326, 3, 50].map(confidenceOf), [0.5, 0.841, 0.95, 0.99, 0.999, 0.999])
    assert.deepStrictEqual([-1, -50].map(confidenceOf), [0.159, 0])
  })

  it("convicts unless it is a note or was accepted", () => {
    assert.isTrue(convicts(finding("memory-growth")))
    assert.isTrue(convicts(finding("memory-growth", { severity: "warning" })))
    assert.isFalse(convicts(finding("memory-growth", { severity: "info" })))
    assert.isFalse(convicts(finding("memory-growth", { accepted: { reason: "known", until: "2999-01-01" } })))
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
