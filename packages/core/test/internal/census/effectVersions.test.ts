/** The range of versions is defined in one place; copies of it are compared. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { observable, supported } from "../../../src/internal/census/effectVersions.ts"

const textOf = (path: string): string => readFileSync(new URL(`../../../../../${path}`, import.meta.url), "utf8")

describe("effectVersions", () => {
  it.each(["core", "detector"])("is the peer range of %s", (name) => {
    const { peerDependencies } = JSON.parse(textOf(`packages/${name}/package.json`)) as {
      peerDependencies: Readonly<Record<string, string>>
    }
    for (const range of Object.values(peerDependencies)) assert.strictEqual(range, supported)
  })

  it("equals the range in the README and on the page of the command", () => {
    assert.include(textOf("README.md"), `effect ${supported} for its layers`)
    assert.include(textOf("README.md"), `effect ${observable}`)
    assert.include(textOf("docs/run.md"), `effect may be ${observable}`)
  })
})
