import { assert, describe, it } from "@effect/vitest"
import type { Tick } from "../../src/agent/Protocol.ts"
import * as TestFiles from "../../src/observation/TestFiles.ts"
import { tick } from "../support/simulate.ts"

const look = (test: string | undefined, started: number, live: ReadonlyArray<readonly [number, number]>): Tick => ({
  ...tick(0),
  test,
  fibers: { started, ended: 0, abandoned: 0, live: live.reduce((sum, [, count]) => sum + count, 0), tenured: 0 },
  live
})

const plain = (files: ReadonlyArray<TestFiles.TestFile>) =>
  files.map(({ file, left, sites, started }) => [file, started, left, ...sites])

describe("TestFiles", () => {
  it("counts fibers that start during the import of a file for that file", () => {
    const files = TestFiles.make()
    files.take(look(undefined, 0, []))
    files.take(look("a.test.ts", 3, [[4, 1]]))
    files.take(look("a.test.ts", 9, [[4, 2], [5, 1]]))
    assert.deepStrictEqual(plain(files.files()), [["a.test.ts", 9, 3, [4, 2], [5, 1]]])
  })

  it("counts remaining fibers of an earlier file in the same process for that file only", () => {
    const files = TestFiles.make()
    files.take(look("a.test.ts", 5, [[1, 5]]))
    files.take(look("b.test.ts", 7, [[1, 5], [2, 2]]))
    files.take(look("b.test.ts", 12, [[1, 4], [2, 3]]))
    assert.deepStrictEqual(plain(files.files()), [["a.test.ts", 5, 5, [1, 5]], ["b.test.ts", 7, 2, [2, 3]]])
  })

  it("is empty outside of tests", () => {
    const files = TestFiles.make()
    files.take(look(undefined, 100, [[1, 100]]))
    assert.deepStrictEqual(files.files(), [])
  })
})
