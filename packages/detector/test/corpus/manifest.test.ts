/**
 * The manifest is what a detector is judged by, so it must not rot: what it points at has to be there.
 */
import { describe, expect, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { keepers } from "./keepers.ts"
import { programs } from "./manifest.ts"

const source = (file: string) => new URL(file, import.meta.url)

describe("the manifest of the corpus", () => {
  it("lists each program once", () => {
    expect(new Set(programs.map(({ name }) => name)).size).toBe(programs.length)
  })

  it.each(programs)("$name is there, and ends by itself", ({ file }) => {
    expect(existsSync(source(file))).toBe(true)
    expect(readFileSync(source(file), "utf8")).toContain("support/life.ts")
  })

  it("says of each leak what keeps its objects", () => {
    const leaks = programs.filter(({ expected }) => expected === "leak").map(({ name }) => name)
    expect(Object.keys(keepers).sort()).toEqual(leaks.sort())
  })

  const twins = programs.filter(({ expected, half }) => expected === "leak" && half !== "adversarial")
  it.each(twins)("$name has a clean twin", ({ name }) => {
    const twin = programs.find((program) => program.name === name.replace("/leak", "/clean"))
    expect(twin?.expected).toBe("ok")
  })

  it.each(programs.filter(({ guilty }) => guilty !== undefined))(
    "$name has its guilty functions on the lines that are given",
    ({ guilty }) => {
      const lines = readFileSync(source(guilty!.file), "utf8").split("\n")
      const named = (line: string) => guilty!.names.some((name) => line.includes(name))
      const wrong = guilty!.lines.filter(([first, last]) => !named(lines[first - 1] ?? "") || last > lines.length)
      expect(wrong).toEqual([])
    }
  )
})
