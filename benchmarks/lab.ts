/**
 * The cost of an interrupted run in the lab, and a check that no run is wasted: random programs over resources, each interrupted at
 * every point.
 *
 *     npm run bench:lab [-- <part of a case's name> …]
 */
import { Arbitrary, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Ledger } from "../packages/core/src/testing/index.ts"
import { InterruptLab, Ledger as PlainLedger, Script } from "../packages/core/src/testing/index.ts"
import type { Comparison, Measurement } from "./harness.ts"
import { benchmark } from "./harness.ts"

const scripts = (count: number): ReadonlyArray<Script.Script> =>
  Effect.runSync(Arbitrary.sampleEffect(Arbitrary.schema(Script.Script), { count, seed: 42 }))

type Operation = Script.Operation<unknown, never>

const correct = (ledger: Ledger): ReadonlyArray<Operation> => [
  (body) => Effect.acquireUseRelease(ledger.open("r"), () => body, (lease) => ledger.close(lease, { takes: 1 })),
  (body) =>
    Effect.acquireUseRelease(ledger.open("r", { takes: 2 }), () => body, (lease) => ledger.close(lease, { takes: 1 })),
  (body) => Effect.andThen(ledger.resource("r", { opens: 2, closes: 1 }), body)
]

/** A wrong acquisition: the finalizer is added one operation too late. */
const wrong = (ledger: Ledger): ReadonlyArray<Operation> => [
  (body) => Effect.flatMap(ledger.open("r"), (lease) => Effect.onExit(body, () => ledger.close(lease, { takes: 1 })))
]

const explore = (script: Script.Script, seed?: number, operations = correct) =>
  Effect.runPromise(InterruptLab.explore(
    (ledger) => Script.toEffect(script, operations(ledger)),
    seed === undefined ? {} : { order: "random", seed }
  ))

/** A usual test: the program runs in a fiber, and the test moves the clock. */
const onTestClock = (script: Script.Script) =>
  Effect.runPromise(Effect.scoped(Effect.provide(
    Effect.gen(function*() {
      const ledger = new PlainLedger()
      const fiber = yield* Effect.forkChild(Effect.exit(Script.toEffect(script, correct(ledger))))
      // After a single large step, a fiber that reaches its next sleep late would wait forever.
      while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("10 millis")
    }),
    TestClock.layer()
  )))

/** Repetitions that go through the programs in turn, each about as long as the harness needs. */
const turns = (run: (script: Script.Script) => Promise<number>) => () => {
  const programs = scripts(200)
  let at = 0
  return async () => {
    let runs = 0
    const began = performance.now()
    while (performance.now() - began < 15) runs += await run(programs[at++ % programs.length]!)
    return (performance.now() - began) * 1000 / runs
  }
}

const cost: Comparison = {
  name: "a run of a random program",
  unit: "µs/run",
  precision: 0.05,
  variants: {
    "undisturbed on TestClock": turns(async (script) => {
      await onTestClock(script)
      return 1
    }),
    "interrupted in the lab": turns(async (script) => (await explore(script)).runs),
    "interrupted in the lab, random order": turns(async (script) => (await explore(script, 7)).runs)
  },
  // The goal is the cost of a test that interrupts nothing.
  goals: { "interrupted in the lab": 1, "interrupted in the lab, random order": 1 }
}

const proof: Measurement = {
  name: "1 000 random programs",
  numbers: {
    // The goal is 10 000 interrupted runs per second of processor time.
    "processor time of an interrupted run": { unit: "µs", goal: 100 },
    "time of an interrupted run": { unit: "µs" },
    "runs of all programs": { unit: "runs" },
    "correct programs reported": { unit: "programs", goal: 0 },
    "wrong programs missed": { unit: "programs", goal: 0 },
    "different paths of one program in 500 runs": { unit: "paths", goal: 1 }
  },
  take: async () => {
    const programs = scripts(1000)
    for (const script of programs.slice(0, 200)) await explore(script)
    let runs = 0
    let reported = 0
    let missed = 0
    const began = performance.now()
    const before = process.cpuUsage()
    for (const [index, script] of programs.entries()) {
      const report = await explore(script, index % 2 === 0 ? undefined : index)
      runs += report.runs
      if (report.failures.length > 0) reported++
    }
    const { system, user } = process.cpuUsage(before)
    const elapsed = performance.now() - began
    for (const script of programs.slice(0, 300)) {
      const around: Script.Script = [{ op: "use", n: 0, body: script }]
      if ((await explore(around, undefined, wrong)).failures.length === 0) missed++
    }
    return {
      "processor time of an interrupted run": (user + system) / runs,
      "time of an interrupted run": elapsed * 1000 / runs,
      "runs of all programs": runs,
      "correct programs reported": reported,
      "wrong programs missed": missed,
      "different paths of one program in 500 runs": await ways(programs)
    }
  }
}

/** The largest number of different paths among ten long programs. */
const ways = async (programs: ReadonlyArray<Script.Script>): Promise<number> => {
  const longest = programs.toSorted((a, b) => JSON.stringify(b).length - JSON.stringify(a).length).slice(0, 10)
  let most = 0
  for (const script of longest) {
    const seen = new Set<string>()
    for (let i = 0; i < 500; i++) {
      const run = await Effect.runPromise(InterruptLab.replay(
        (ledger) => Script.toEffect(script, correct(ledger)),
        "lab1/order=seed.3"
      ))
      seen.add(JSON.stringify([run.operations, run.events]))
    }
    most = Math.max(most, seen.size)
  }
  return most
}

await benchmark(import.meta.url, [cost, proof])
