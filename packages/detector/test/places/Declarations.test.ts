/** The declaration of a variable, found in the text of a source. */
import { assert, describe, it } from "@effect/vitest"
import { declarationIn } from "../../src/places/Declarations.ts"

const text = `import { make } from "x"
const cache = new Map()
export let $last: Failure | undefined, other
const handler = () => {
  const seen = new Set()
  {
    const seen = []
    seen.push(1)
  }
  return () => seen.add(cache)
}
class Registry {}
function* late() {}
const notcache = 1
`
const from = (variable: string, line: number) => {
  const place = declarationIn(text, variable, { name: "f", file: "/a.ts", line })
  return place === undefined ? undefined : `${place.line}:${place.column}`
}

describe("The declaration of a variable", () => {
  it("is the nearest one above that is not indented more", () => {
    assert.strictEqual(from("seen", 10), "5:9")
    assert.strictEqual(from("seen", 8), "7:11")
    assert.strictEqual(from("cache", 10), "2:7")
  })

  it("may be below, if it is not indented", () => {
    assert.strictEqual(from("Registry", 4), "12:7")
    assert.strictEqual(from("late", 4), "13:11")
    assert.isUndefined(from("seen", 1))
  })

  it("is that of the whole name, with any characters that a name may have", () => {
    assert.strictEqual(from("$last", 10), "3:12")
    assert.isUndefined(from("last", 10))
    assert.isUndefined(from("a.b(", 10))
  })

  it("is not looked for in lines that were generated", () => {
    const near = { name: "f", file: "/a.js", line: 1 }
    assert.isUndefined(declarationIn(`${"x();".repeat(200)}const cache = 1`, "cache", near))
  })
})
