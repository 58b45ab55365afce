import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { FiberCache, RuntimeFiber } from "../../../src/internal/census/FiberRuntime.ts"
import { FiberTable } from "../../../src/internal/census/FiberTable.ts"

const cache: FiberCache = { stackFrame: undefined, span: undefined }
const makeFiber = (id: number) => ({ id, cache, _exit: undefined }) as unknown as RuntimeFiber & { _exit: unknown }

const makeTable = () => {
  const tenured = new Set<number>()
  const log: Array<string> = []
  const table = new FiberTable({
    site: () => 7,
    tenured: (_site, _start, id) => void tenured.add(id),
    ended: (_site, _start, id) => void tenured.delete(id),
    abandoned: (_site, _start, id) => {
      tenured.delete(id)
      log.push(`abandoned ${id}`)
    }
  })
  return { table, tenured, log }
}

describe("FiberTable", () => {
  it.effect.prop(
    "contains exactly the fibers that were added and have not ended",
    {
      steps: Schema.Array(
        Schema.Struct({
          add: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3000 })),
          end: Schema.Int,
          sweep: Schema.Boolean
        })
      )
    },
    ({ steps }) =>
      Effect.sync(() => {
        const { table, tenured } = makeTable()
        const living = new Map<number, RuntimeFiber>()
        let id = 0
        let time = 0
        for (const step of steps) {
          for (let i = 0; i < step.add; i++) {
            const fiber = makeFiber(++id)
            living.set(id, fiber)
            table.add(fiber, cache, 0, ++time)
          }
          const ids = [...living.keys()]
          const stride = 1 + (Math.abs(step.end) % 7)
          for (let i = Math.abs(step.end) % 5; i < ids.length; i += stride) {
            living.delete(ids[i]!)
            assert.isTrue(table.end(ids[i]!))
            assert.isFalse(table.end(ids[i]!))
          }
          if (step.sweep) table.sweep(time - 10)
          assert.strictEqual(table.nursery + table.tenured, living.size)
          assert.strictEqual(table.tenured, tenured.size)
        }
        const seen = [...table.entries()].map((entry) => entry.id).sort((a, b) => a - b)
        assert.deepStrictEqual(seen, [...living.keys()].sort((a, b) => a - b))
      }),
    { arbitrary: { runs: 60 } }
  )

  it("does not tenure fibers younger than the sweep", () => {
    const { table } = makeTable()
    const fibers = [1, 2, 3].map((id) => makeFiber(id))
    fibers.forEach((fiber) => table.add(fiber, cache, 0, fiber.id * 100))
    table.sweep(200)
    assert.strictEqual(table.tenured, 2)
    assert.strictEqual(table.nursery, 1)
  })

  it("finds an end that was not reported to it", () => {
    const { log, table } = makeTable()
    const fibers = [1, 2].map((id) => makeFiber(id))
    fibers.forEach((fiber) => table.add(fiber, cache, 0, 0))
    fibers[0]!._exit = "done"
    table.sweep(1)
    assert.strictEqual(table.tenured, 1)
    fibers[1]!._exit = "done"
    table.scan(1000, 100)
    assert.strictEqual(table.tenured, 0)
    assert.deepStrictEqual(log, [])
  })

  it("uses at most 120 bytes for each tenured fiber", () => {
    const { table } = makeTable()
    const keep: Array<RuntimeFiber> = []
    const empty = table.bytes
    for (let id = 1; id <= 100_000; id++) {
      const fiber = makeFiber(id)
      keep.push(fiber)
      table.add(fiber, cache, 0, 0)
    }
    table.sweep(1)
    assert.strictEqual(table.tenured, keep.length)
    assert.isBelow((table.bytes - empty) / keep.length, 120)
  })
})
