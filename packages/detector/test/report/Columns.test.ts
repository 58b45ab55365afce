import { assert, describe, it } from "@effect/vitest"
import { columnsOf, cut, fitting, wrap } from "../../src/report/Columns.ts"
import { controls } from "../support/hostile.ts"
import { random, seeds } from "../support/random.ts"

describe("report/Columns", () => {
  it("counts terminal columns: two for wide characters, none for combining marks", () => {
    for (
      const [text, columns] of [["abc", 3], ["漢字", 4], ["한글", 4], ["😀", 2], ["e\u0301", 1], ["Ü│▁…→", 5], [
        "",
        0
      ]] as const
    ) {
      assert.strictEqual(columnsOf(text), columns, text)
    }
  })

  it("cuts a text between characters", () => {
    assert.strictEqual(fitting("漢字", 3), "漢")
    assert.strictEqual(cut("漢字漢字", 4), "漢…")
    assert.strictEqual(cut("😀😀", 3), "😀…")
    assert.strictEqual(cut("e\u0301e\u0301", 2), "e\u0301e\u0301")
  })

  it("wraps any text into lines that fit, and loses nothing", () => {
    for (const seed of seeds(200)) {
      const { integer, pick } = random(seed)
      const words = Array.from(
        { length: integer(1, 30) },
        () => pick(["a", "漢", "😀", "e\u0301", ":"]).repeat(integer(1, 20))
      )
      const columns = integer(9, 60)
      const text = (seed % 2 === 0 ? "why    " : "") + words.join(" ")
      const lines = wrap(text, columns)
      for (const line of lines) {
        assert.isAtMost(columnsOf(line), columns)
        assert.notMatch(line, controls)
      }
      assert.strictEqual(lines.join("").replaceAll(" ", ""), text.replaceAll(" ", ""))
    }
  })
})
