import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, Semaphore } from "effect"
import { readFileSync } from "node:fs"
import { inspect } from "node:util"
import type { Ledger } from "../../src/testing/index.ts"
import { InterruptLab, render, renderRun } from "../../src/testing/index.ts"
import { wrong } from "./programs.ts"

/** Lines of files may move. */
const matches = (text: string): void =>
  expect(text.replaceAll(/((?:test|programs)\.ts):\d+(:\d+)?/g, "$1:…")).toMatchSnapshot("rendering")

const withTransaction = Effect.fn("withTransaction")(function*(ledger: Ledger) {
  const lease = yield* ledger.open("transaction", { takes: "5 millis" })
  yield* Effect.sleep("3 millis")
  yield* ledger.close(lease)
})

describe("LabReport", () => {
  it.effect("renders the simplest failure, with the others beside it", () =>
    Effect.gen(function*() {
      const { message } = yield* Effect.flip(InterruptLab.verify((ledger) => withTransaction(ledger)))
      matches(message)
    }))

  it.effect("renders where a subject was interrupted while another fiber ran", () =>
    Effect.gen(function*() {
      const report = yield* InterruptLab.explore(() =>
        Effect.gen(function*() {
          const semaphore = yield* Semaphore.make(1)
          const user = Effect.andThen(semaphore.take(1), Effect.andThen(Effect.sleep(1), semaphore.release(1)))
          yield* InterruptLab.subject(Effect.all([user, user], { concurrency: 2 }), { again: true })
        })
      )
      const failure = report.failures.find(({ token }) => token.includes("/op="))!
      matches(render(report))
      assert.include(failure.token, "lab1/op=")
    }))

  it.effect("renders interruptions before a task and while every fiber waits", () =>
    Effect.gen(function*() {
      const make = wrong["acquires uninterruptibly, with the finalizer outside"]!
      const report = yield* InterruptLab.explore(make, { points: ["task", "idle"] })
      const runs = yield* Effect.forEach(report.failures, ({ token }) => InterruptLab.replay(make, token))
      matches(runs.map((run) => renderRun(run)).join("\n\n---\n\n"))
    }))

  it.effect("renders a failure without interruption, with or without an injected failure", () =>
    Effect.gen(function*() {
      const both = (ledger: Ledger) =>
        Effect.acquireUseRelease(
          Effect.all([ledger.open("a"), ledger.open("b")]),
          () => Effect.void,
          ([a, b]) => Effect.andThen(ledger.close(a), ledger.close(b))
        )
      const faulty = yield* InterruptLab.explore(both, { inject: ["failingAcquire"] })
      const detached = yield* InterruptLab.explore(wrong["leaves a resource to a detached fiber"]!)
      matches([faulty, detached].map((report) => render(report)).join("\n\n---\n\n"))
    }))

  it.effect("renders the part of a long ledger near the interruption, and the line of the root for a fiber that has just begun", () =>
    Effect.gen(function*() {
      const noted = (ledger: Ledger, name: string) =>
        Effect.forEach(Array.from({ length: 20 }), (_, i) => Effect.sync(() => ledger.note(`${name} ${i}`)))
      const make = (ledger: Ledger) =>
        Effect.gen(function*() {
          yield* noted(ledger, "before")
          const gap = Effect.suspend(() => {
            const lease = ledger.acquire("a")
            return Effect.sync(() => ledger.release(lease))
          })
          yield* Effect.all([InterruptLab.subject(gap)], { concurrency: "unbounded" })
          yield* noted(ledger, "after")
        })
      matches(render(yield* InterruptLab.explore(make)))
    }))

  it.effect("prints the line of a fiber that outlives the program", () =>
    Effect.gen(function*() {
      const detached = Effect.gen(function*() {
        yield* Effect.sleep("1 hour")
      })
      const report = yield* InterruptLab.explore(() => Effect.forkDetach(detached))
      assert.match(
        report.failures[0]!.problems[0]!,
        /^still alive after the program has ended: fiber 1 \(at .*LabReport\.test\.ts:\d+:\d+\)$/
      )
    }))

  it.effect("refers to the program, and prints each line once", () =>
    Effect.gen(function*() {
      const make = (ledger: Ledger) => wrong["closes only when all goes well"]!(ledger)
      const error = yield* Effect.flip(InterruptLab.verify(make))
      const [, line] = /LabReport\.test\.ts:(\d+):\d+$/.exec(error.stack!) ?? []
      assert.include(readFileSync(import.meta.filename, "utf8").split("\n")[Number(line) - 1], "const make =")
      assert.isDefined((error as InterruptLab.NotInterruptSafe).report.simplest)
      assert.isTrue(inspect(error).startsWith(`NotInterruptSafe: ${error.message}`))
      assert.notInclude(inspect(error) + inspect({ ...error }), "report:")
    }))

  it.effect("renders a random order in its simplest form", () =>
    Effect.gen(function*() {
      const make = (ledger: Ledger) =>
        Effect.gen(function*() {
          const order: Array<number> = []
          yield* Effect.forEach(
            Array.from({ length: 20 }, (_, i) => i),
            (n) =>
              Effect.andThen(
                Effect.yieldNow,
                Effect.sync(() => {
                  order.push(n)
                  ledger.note(`turn of ${n}`)
                })
              ),
            { concurrency: "unbounded", discard: true }
          )
          if (order[0] !== 0) ledger.acquire("turn")
        })
      const report = yield* InterruptLab.explore(make, { order: "random", seed: 1 })
      matches(render(report))
    }))

  it.effect("renders a report without failures in one line", () =>
    Effect.gen(function*() {
      const all = yield* InterruptLab.explore(() => Effect.sleep(1))
      const some = yield* InterruptLab.explore(() => Effect.sleep(1), { budget: { runs: 3 }, seed: 8 })
      assert.strictEqual(render(all), "no failures: interrupted at 3 points")
      assert.strictEqual(
        render(some),
        "no failures: interrupted at 2 points, a sample of 4 runs with seed 8"
      )
    }))
})
