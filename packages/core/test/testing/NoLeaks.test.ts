import { assert, describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, ManagedRuntime, Scope, Stream } from "effect"
import { spawn } from "node:child_process"
import { EventEmitter } from "node:events"
import { readFileSync } from "node:fs"
import type { FileHandle } from "node:fs/promises"
import { open } from "node:fs/promises"
import { createServer as createHttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { join } from "node:path"
import { setImmediate as turn } from "node:timers/promises"
import { inspect } from "node:util"
import type { Leak, NoLeaksOptions } from "../../src/testing/index.ts"
import { LeaksFound, noLeaks, noLeaksPromise, renderLeaks, watchSuite, withNoLeaks } from "../../src/testing/index.ts"
import { collectGarbage } from "../../src/testing/internal/leaks/garbage.ts"

const short: NoLeaksOptions = { settle: 30 }

const leaksOf = <E>(
  test: Effect.Effect<unknown, E, Scope.Scope>,
  options = short
): Effect.Effect<ReadonlyArray<Leak>> =>
  Effect.map(Effect.exit(noLeaks(test, options)), (exit) => {
    if (Exit.isSuccess(exit)) return []
    const error = exit.cause.reasons[0]
    if (error?._tag === "Fail" && error.error instanceof LeaksFound) return error.error.leaks
    throw new Error(`failed otherwise: ${exit.cause}`)
  })

/** The line of this file with the given mark in a comment. */
const source = readFileSync(import.meta.filename, "utf8").split("\n")
const lineOf = (mark: string): number => source.findIndex((line) => line.endsWith(`// ${mark}`)) + 1
const isAt = (leak: Leak | undefined, word: string, mark: string): void => {
  assert.match(
    leak?.site.find((line) => line.startsWith(word)) ?? "nowhere",
    new RegExp(`NoLeaks\\.test\\.ts:${lineOf(mark)}(?!\\d)`)
  )
}

const kinds = (leaks: ReadonlyArray<Leak>): ReadonlyArray<string> => leaks.map(({ kind }) => kind)

const shared = new EventEmitter()

// Timers of code that does not use Effect.
const every = (ms: number) => setInterval(() => {}, ms) // interval
const after = (ms: number, run: () => void) => setTimeout(run, ms)

// it.live: things settle in real time, and handles are real.
describe("noLeaks", () => {
  it.live("passes tests that clean up", () =>
    Effect.gen(function*() {
      yield* noLeaks(Effect.gen(function*() {
        yield* Effect.forkChild(Effect.sleep(1))
        yield* Effect.forkScoped(Effect.never)
        yield* Effect.acquireRelease(Effect.void, () => Effect.sleep(1))
        yield* Stream.runDrain(Stream.take(Stream.fromAsyncIterable(counting(), String), 2))
        const timer = every(1000)
        yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(timer)))
        const listener = () => {}
        shared.on("data", listener)
        yield* Effect.addFinalizer(() => Effect.sync(() => shared.off("data", listener)))
        yield* Effect.promise(() => fetch("data:text/plain,hello"))
        const own = new EventEmitter()
        own.on("data", listener)
        new AbortController().signal.addEventListener("abort", listener)
      }))
      const exit = yield* Effect.exit(noLeaks(Effect.fail("the test's own failure")))
      assert.deepStrictEqual(exit, Exit.fail("the test's own failure"))
      assert.strictEqual(yield* noLeaks(Effect.succeed(1)), 1)
    }))

  it.live("waits for things that are slow to end, and no longer", () =>
    Effect.gen(function*() {
      const began = performance.now()
      yield* noLeaks(Effect.forkDetach(Effect.sleep(50)), { settle: "20 seconds" })
      assert.isBelow(performance.now() - began, 10_000)
    }), 30_000)

  it.live("names the line of each fork, and where the fiber waits", () =>
    Effect.gen(function*() {
      const worker = Effect.fn("worker")(function*() {
        yield* Effect.sleep("1 hour") // waits
      })
      const leaks = yield* leaksOf(Effect.gen(function*() {
        yield* Effect.forkDetach(Effect.never) // first fork
        yield* Effect.yieldNow
        yield* Effect.forkDetach(worker(), { startImmediately: true }) // second fork
        yield* Effect.yieldNow
      }))
      assert.deepStrictEqual(kinds(leaks), ["fiber", "fiber"])
      isAt(leaks[0], "forked at", "first fork")
      isAt(leaks[1], "forked at", "second fork")
      isAt(leaks[1], "waits at", "waits")
    }))

  it.live("distinguishes a collected fiber from a live one", () =>
    Effect.gen(function*() {
      const leaks = yield* leaksOf(Effect.gen(function*() {
        yield* Effect.forkDetach(Effect.callback<never>(() => {})) // nobody can resume
        yield* Effect.promise(async () => {
          await turn()
          collectGarbage()
          await turn()
        })
      }))
      assert.deepStrictEqual(leaks.map(({ kind, what }) => `${kind}: ${what}`), [
        "abandoned fiber: collected without ending, its finalizers will never run"
      ])
      isAt(leaks[0], "forked at", "nobody can resume")
    }))

  it.live("refers to the test when no line of it created the leak", () =>
    Effect.gen(function*() {
      const pointedTo = (error: LeaksFound) =>
        source[Number(/NoLeaks\.test\.ts:(\d+):\d+$/.exec(error.stack!)?.[1]) - 1]
      const forgetful = Effect.forkDetach(Effect.never)
      assert.include(pointedTo(yield* Effect.flip(noLeaks(forgetful, short))), "Effect.flip(noLeaks(forgetful")
      assert.include(pointedTo(yield* Effect.flip(forgetful.pipe(noLeaks(short)))), "forgetful.pipe(noLeaks(short))")
      const tests: Array<() => Effect.Effect<unknown, LeaksFound>> = []
      const collect = (_: string, test: () => Effect.Effect<unknown, LeaksFound>) => tests.push(test)
      withNoLeaks({ live: collect }, short).live("forgets", () => forgetful as Effect.Effect<unknown, never>) // guarded
      const error = yield* Effect.flip(tests[0]!())
      assert.include(pointedTo(error), "// guarded")
      assert.notInclude(inspect(error), "leaks:")
    }))

  it.live("attributes each leak to its test when many run at once", () =>
    Effect.gen(function*() {
      const test = (n: number) =>
        Effect.gen(function*() {
          yield* Effect.sleep(n % 7)
          for (let i = 0; i < n; i++) yield* Effect.forkDetach(Effect.never)
          after(1, () => void Effect.runFork(Effect.never))
          yield* Effect.sleep(10)
        })
      const counts = yield* Effect.forEach(
        Array.from({ length: 21 }, (_, n) => n),
        (n) => Effect.map(leaksOf(test(n)), ({ length }) => length),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(counts, Array.from({ length: 21 }, (_, n) => n + 1))
    }))

  it.live("finds open finalizers, and the line where their scope was used", () =>
    Effect.gen(function*() {
      let scope: Scope.Closeable | undefined
      const leaks = yield* leaksOf(Effect.gen(function*() {
        scope = yield* Scope.make()
        const inner = Effect.acquireRelease(Effect.void, () => Effect.void)
        yield* Scope.provide(Effect.andThen(inner, inner), scope) // scope
      }))
      assert.deepStrictEqual(leaks.map(({ kind, what }) => `${kind}: ${what}`), [
        "finalizers: 2 of a scope that was not closed"
      ])
      isAt(leaks[0], "used at", "scope")
      yield* Scope.close(scope!, Exit.void)
    }))

  it.live("finds listeners on emitters and targets that outlive the test", () =>
    Effect.gen(function*() {
      const target = new EventTarget()
      const listener = () => {}
      const leaks = yield* leaksOf(Effect.sync(() => {
        shared.on("data", listener) // emitter
        shared.once("end", listener)
        target.addEventListener("message", listener) // target
      }))
      assert.deepStrictEqual(leaks.map(({ kind, what }) => `${kind}: ${what}`), [
        "listener: for \"data\" on EventEmitter",
        "listener: for \"end\" on EventEmitter",
        "listener: for \"message\" on EventTarget"
      ])
      isAt(leaks[0], "added at", "emitter")
      isAt(leaks[2], "added at", "target")
      shared.removeAllListeners()
    }))

  it.live("finds timers and handles, each once", () =>
    Effect.gen(function*() {
      const opened: { timer?: NodeJS.Timeout; server?: ReturnType<typeof createServer>; fiber?: Fiber.Fiber<void> } = {}
      const leaks = yield* leaksOf(Effect.gen(function*() {
        opened.timer = every(1000)
        const server = opened.server = createServer()
        yield* Effect.callback<void>((resume) => {
          server.listen(0, () => resume(Effect.void)) // server
        })
        opened.fiber = yield* Effect.forkDetach(Effect.sleep("1 hour"), { startImmediately: true })
      }))
      assert.deepStrictEqual(leaks.map(({ kind, what }) => `${kind}: ${what}`), [
        "fiber: alive",
        "timer: setInterval of 1000 ms",
        `handle: a server on :::${(opened.server!.address() as AddressInfo).port}`
      ])
      isAt(leaks[1], "opened at", "interval")
      isAt(leaks[2], "opened at", "server")
      clearInterval(opened.timer)
      opened.server?.close()
      yield* Fiber.interrupt(opened.fiber!)
    }))

  it.live("finds open files, and ignores closed ones and listeners of fetch", () =>
    Effect.gen(function*() {
      const files: Array<FileHandle> = []
      const leaks = yield* leaksOf(Effect.promise(async () => {
        files.push(await open(import.meta.filename)) // file
        await (await open(import.meta.filename)).close()
      }))
      assert.deepStrictEqual(leaks.map(({ kind, what }) => `${kind}: ${what}`), ["handle: an open file"])
      isAt(leaks[0], "opened at", "file")
      yield* Effect.promise(() => files[0]!.close())
      const server = createHttpServer((_, response) => response.end("hello"))
      yield* Effect.callback<void>((resume) => void server.listen(0, () => resume(Effect.void)))
      const { port } = server.address() as AddressInfo
      yield* noLeaks(Effect.promise(() => fetch(`http://localhost:${port}`).then((response) => response.text())))
      server.close()
      server.closeAllConnections()
    }))

  it.live("finds async generators that were started and dropped", () =>
    Effect.gen(function*() {
      const leaks = yield* leaksOf(Effect.promise(async () => {
        await counting().next()
        const finished = counting()
        await finished.next()
        await finished.return(undefined)
      }))
      assert.deepStrictEqual(kinds(leaks), ["generator"])
      isAt(leaks[0], "is suspended at", "yields")
    }))

  it.live("ignores leaks that match a rule with a reason", () =>
    Effect.gen(function*() {
      const rule = { reason: "the cache refreshes itself", matches: ({ kind }: Leak) => kind === "fiber" }
      assert.deepStrictEqual(yield* leaksOf(Effect.forkDetach(Effect.never), { ...short, ignore: [rule] }), [])
      const unref = yield* leaksOf(Effect.sync(() => every(1000).unref()))
      assert.deepStrictEqual(unref, [])
    }))

  it.live(
    "finds a growing map with `repeat`, and ignores a full cache and its own results",
    () =>
      Effect.gen(function*() {
        const sessions = new Map<string, object>()
        let last: ReadonlyArray<object> = []
        const remember = () => void sessions.set(`${sessions.size}`, { since: sessions.size }) // remembers
        const leaks = yield* leaksOf(Effect.sync(remember), { repeat: 20 })
        assert.deepStrictEqual(kinds(leaks), ["memory"])
        assert.match(leaks[0]!.what, /^kept of 17 of 17 repetitions, \d+ bytes each$/)
        assert.match(leaks[0]!.site[0]!, /^allocated in remember \(.*NoLeaks\.test\.ts:/)
        const clean = Effect.sync(() => {
          last = Array.from({ length: 100 }, (_, i) => ({ i }))
          return last.length
        })
        assert.deepStrictEqual(yield* leaksOf(clean, { repeat: 20 }), [])
        assert.strictEqual(yield* noLeaks(clean, { repeat: 9 }), 100)
      }),
    60_000
  )

  it("ignores memory that the runner retains until the end of the test", async () => {
    await noLeaksPromise(() => expect(Promise.resolve(1)).resolves.toBe(1), { repeat: 12 })
  }, 60_000)

  it.live(
    "ignores V8's data about functions that become hot, many of them one after the other",
    () =>
      Effect.gen(function*() {
        const fetching = Effect.promise(() => fetch("data:application/json,{}").then((response) => response.json()))
        assert.deepStrictEqual(yield* leaksOf(fetching, { repeat: 12 }), [])
      }),
    60_000
  )

  it.live("fails as the test does, at any repetition", () =>
    Effect.gen(function*() {
      let runs = 0
      const flaky = Effect.suspend(() => ++runs === 4 ? Effect.fail("the fourth time") : Effect.void)
      assert.strictEqual(yield* Effect.flip(noLeaks(flaky, { repeat: 10 })), "the fourth time")
      assert.strictEqual(runs, 4)
    }), 60_000)

  it.live("stops the test that is interrupted", () =>
    Effect.gen(function*() {
      let stopped = false
      const started = yield* Deferred.make<void>()
      const waits = Effect.onInterrupt(Effect.andThen(Deferred.succeed(started, undefined), Effect.never), () =>
        Effect.sync(() => {
          stopped = true
        }))
      const fiber = yield* Effect.forkChild(noLeaks(waits))
      // Before that there is no test to stop.
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(stopped)
    }))

  it.effect("settles in real time under the TestClock", () =>
    Effect.gen(function*() {
      const leaks = yield* leaksOf(Effect.forkDetach(Effect.sleep("1 hour")))
      assert.deepStrictEqual(kinds(leaks), ["fiber"])
    }))

  it.live("accepts plain functions and layers", () =>
    Effect.gen(function*() {
      const runtime = ManagedRuntime.make(Layer.effectDiscard(Effect.forkScoped(Effect.never)))
      yield* Effect.promise(() => noLeaksPromise(() => Promise.resolve(1)))
      const left = yield* Effect.promise(() =>
        noLeaksPromise(() => runtime.runPromise(Effect.void), short).then(() => [], (error: LeaksFound) => error.leaks)
      )
      assert.deepStrictEqual(kinds(left).filter((kind) => kind === "fiber"), ["fiber"])
      yield* runtime.disposeEffect
    }))

  it.live("reports leaks of the hooks of a suite", () =>
    Effect.gen(function*() {
      const check = watchSuite({ settle: 20 })
      const fiber = Effect.runFork(Effect.never) // hook
      yield* noLeaks(Effect.sleep(1))
      const error = yield* Effect.flip(Effect.tryPromise({ try: check, catch: (error) => error as LeaksFound }))
      assert.deepStrictEqual(kinds(error.leaks), ["fiber"])
      isAt(error.leaks[0], "forked at", "hook")
      fiber.interruptUnsafe()
      const again = watchSuite({ settle: 20 })
      yield* Effect.promise(again)
    }))

  it.live("removes all of its own hooks", () =>
    Effect.gen(function*() {
      const before = [EventEmitter.prototype.on, EventTarget.prototype.addEventListener, generatorPrototype.next]
      yield* noLeaks(Effect.sync(() => {
        assert.notStrictEqual(EventEmitter.prototype.on, before[0])
      }))
      assert.deepStrictEqual(
        [EventEmitter.prototype.on, EventTarget.prototype.addEventListener, generatorPrototype.next],
        before
      )
    }))

  it("keeps the modifiers of `it`", () => {
    const calls: Array<string> = []
    const tester = (prefix: string) => (name: string, test: (n: number) => unknown) =>
      calls.push(`${prefix}${name} ${test.toString()}`)
    const guarded = withNoLeaks({
      effect: Object.assign(tester("effect "), { only: tester("only "), each: () => tester("each ") }),
      other: 1
    })
    const test = () => Effect.void
    guarded.effect("a", test)
    guarded.effect.only("b", test)
    guarded.effect.each()("c", test)
    assert.deepStrictEqual(calls, [`effect a ${test}`, `only b ${test}`, `each c ${test}`])
    assert.strictEqual(guarded.other, 1)
  })

  it("renders leaks, equal ones together", () => {
    const fiber: Leak = {
      kind: "fiber",
      what: "alive",
      at: undefined,
      site: ["forked at a.ts:1:2", "waits at b.ts:3:4"]
    }
    expect(renderLeaks([fiber, fiber, { kind: "timer", what: "setTimeout of 5 ms", at: undefined, site: [] }]))
      .toMatchInlineSnapshot(`
      "this test leaked 3 things

        2 × fiber: alive
          forked at a.ts:1:2
          waits at b.ts:3:4

        timer: setTimeout of 5 ms"
    `)
  })

  // A separate process: the output of the test runner is what is tested.
  it("names the right test and the line in a real run, with tests that run at once", async () => {
    const folder = join(import.meta.dirname, "leaky")
    const { code, output } = await vitest(folder)
    const lines = readFileSync(join(folder, "three.leaky.ts"), "utf8").split("\n")
    const line = (mark: string) => lines.findIndex((text) => text.includes(mark)) + 1
    assert.strictEqual(code, 1)
    const failures = output.split("FAIL").slice(1)
    assert.strictEqual(failures.length, 3, output)
    const of = (name: string) => failures.find((text) => text.includes(`> ${name}\n`)) ?? `no failure of "${name}"`
    assert.include(of("forgets a detached fiber"), `three.leaky.ts:${line("of the first")}:`)
    assert.include(of("forgets a fiber that sleeps"), `three.leaky.ts:${line("of the second")}:`)
    assert.include(of("forgets a fiber of another runtime"), `three.leaky.ts:${line("of the third")}:`)
    assert.include(output, "3 failed | 1 passed")
  }, 60_000)
})

const vitest = (folder: string): Promise<{ readonly code: number | null; readonly output: string }> =>
  new Promise((resolve) => {
    const entry = join(import.meta.dirname, "../../../../node_modules/vitest/vitest.mjs")
    const child = spawn(process.execPath, [entry, "run", "--root", folder, "--config", "vitest.config.ts"], {
      env: { ...process.env, NO_COLOR: "1" }
    })
    let output = ""
    child.stdout.on("data", (chunk) => output += chunk)
    child.stderr.on("data", (chunk) => output += chunk)
    child.on("close", (code) => resolve({ code, output }))
  })

async function* counting() {
  try {
    for (let i = 0;; i++) {
      yield i // yields
      await Promise.resolve()
    }
  } finally {
    await Promise.resolve()
  }
}

const generatorPrototype = Object.getPrototypeOf(counting.prototype) as { readonly next: unknown }
