import { assert, describe, it } from "@effect/vitest"
import { defaultRules } from "../../src/diagnosis/Diagnosis.ts"
import { mergeFindings, ofFibersThatMayEnd } from "../../src/diagnosis/mergeFindings.ts"
import type { Finding } from "../../src/Finding.ts"
import * as Observation from "../../src/observation/Observation.ts"
import { finding } from "../support/finding.ts"
import { observe, place } from "../support/simulate.ts"

const nothing = Observation.make()
const fibers = finding("fiber-growth", { evidence: [{ label: "z", text: "4" }] })
const memory = finding("memory-growth", {
  summary: "memory stays",
  bytes: 5000,
  evidence: [{ label: "survivors", text: "30 arrived" }]
})
const elsewhere = { site: { name: "load", file: "/app/src/db.ts", line: 1, column: 1 } }
const library = { site: { name: "set", file: "/app/node_modules/effect/dist/Metric.js", line: 1, column: 1 } }

const kinds = (findings: ReadonlyArray<{ readonly kind: string }>) => findings.map(({ kind }) => kind)

const merge = (findings: ReadonlyArray<Finding>, observation: Observation.Observation) =>
  mergeFindings(findings, observation, defaultRules)

describe("mergeFindings", () => {
  it("takes memory that was allocated in a file of leaking fibers for evidence against them", () => {
    const [merged, ...others] = merge([memory, fibers], nothing)
    assert.deepStrictEqual(others, [])
    assert.deepInclude(merged, { kind: "fiber-growth", bytes: 5000 })
    assert.deepStrictEqual(merged!.evidence, [
      { label: "z", text: "4" },
      { label: "memory", text: "memory stays (30 arrived)" }
    ])
  })

  it("knows the files where the fibers wait and where the memory's callers are", () => {
    const waiting = { ...fibers, site: { name: "span" }, waits: [elsewhere.site] }
    assert.deepStrictEqual(kinds(merge([waiting, { ...memory, ...elsewhere }], nothing)), ["fiber-growth"])
    const called = { ...memory, ...library, chain: [fibers.site] }
    assert.deepStrictEqual(kinds(merge([fibers, called], nothing)), ["fiber-growth"])
  })

  it("takes memory of nobody but libraries for the run loop's", () => {
    assert.deepStrictEqual(kinds(merge([fibers, { ...memory, ...library }], nothing)), ["fiber-growth"])
  })

  it("keeps memory that comes from elsewhere as a leak of its own", () => {
    const merged = merge([fibers, { ...memory, ...elsewhere }], nothing)
    assert.deepStrictEqual(kinds(merged), ["fiber-growth", "memory-growth"])
    assert.strictEqual(merged[0]!.bytes, 0)
  })

  it("takes sockets and buffers for evidence against what has a place in the source, and alone for leaks", () => {
    const sockets = finding("resource-growth", { summary: "70 sockets" })
    const buffers = finding("off-heap-growth", { summary: "3 MB of buffers" })
    const merged = merge([sockets, fibers, buffers], nothing)
    assert.deepStrictEqual(kinds(merged), ["fiber-growth"])
    assert.deepStrictEqual(merged[0]!.evidence.map(({ text }) => text), ["4", "70 sockets", "3 MB of buffers"])
    assert.deepStrictEqual(kinds(merge([sockets, buffers], nothing)), ["resource-growth", "off-heap-growth"])
  })

  it("takes an object that gets larger beside others that stay for the table that holds them", () => {
    const others = finding("memory-growth", { summary: "memory allocated in a stays" })
    const table = finding("memory-growth", { rule: "LargeObjectGrowth", summary: "what is allocated in b gets larger" })
    const merged = merge([others, table], Observation.make())
    assert.deepStrictEqual(merged.map(({ summary }) => summary), ["memory allocated in a stays"])
    assert.deepInclude(merged[0]!.evidence, { label: "memory-growth", text: "what is allocated in b gets larger" })
    assert.strictEqual(merge([table], Observation.make()).length, 1)
  })

  it("leaves notes alone", () => {
    const note = finding("heap-growth", { severity: "info" })
    assert.deepStrictEqual(merge([note], rising), [note])
  })

  it("adds how fast the heap floor rises and when it reaches the limit", () => {
    const [merged] = merge([memory], rising)
    assert.deepStrictEqual(merged!.evidence.at(-1), {
      label: "heap floor",
      text: "it rises by 3.5 GB/h; at this rate the heap limit is reached in 33 minutes"
    })
    assert.strictEqual(merge([memory], level)[0]!.evidence.length, 1)
  })

  it("takes memory for that of fibers of its file while nobody knows how long those live", () => {
    const observation = observe(30, { load: Array.from({ length: 150 }, (_, i) => [i * 200, Infinity] as const) })
    const doubt = (more: Partial<typeof memory>) => ofFibersThatMayEnd({ ...memory, ...more }, observation)
    const theirs = { chain: [{ name: "open", file: "/app/src/load.ts" }] }
    assert.isUndefined(doubt(theirs))
    observation.take({
      type: "waiting",
      t: 30_000,
      site: 2,
      looked: 1,
      places: [{ place: place("w"), count: 1 }],
      timers: [60_000]
    })
    assert.deepInclude(doubt(theirs), { what: "memory stays", wouldTake: "a run of 180 s (--for 180s)" })
    assert.isUndefined(doubt({ chain: [{ name: "open", file: "/app/src/other.ts" }] }))
    assert.isUndefined(doubt({ ...theirs, kind: "resource-growth" }))
  })
})

const mega = 1024 * 1024
const floors = (perSecond: number) =>
  observe(30, {}, {
    tick: (t) => ({
      memory: { heapUsed: 0, heapLimit: 2048 * mega, rss: 0, external: 0, arrayBuffers: 0 },
      floors: [{ t, bytes: 20 * mega + perSecond * t / 1000, forced: true }]
    })
  })
const rising = floors(mega)
const level = floors(0)
