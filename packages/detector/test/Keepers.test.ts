/** The keeper of memory that a test leaks. */
import { assert, describe, it } from "@effect/vitest"
import { noLeaks } from "@fiberscope/core/testing"
import { Effect } from "effect"
import { readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { keepers } from "../src/Keepers.ts"

class Session {
  readonly name = "a user"
}

const registry = { sessions: new Map<number, Session>(), log: [] as Array<{ readonly at: number }> }

/** An innocent function makes what another one keeps. */
const makeSession = (): Session => new Session()

const login = Effect.sync(() => {
  registry.sessions.set(registry.sessions.size, makeSession())
})

const lines = (test: Effect.Effect<unknown>) =>
  Effect.map(Effect.flip(noLeaks(test, { repeat: 12, kept: keepers })), ({ leaks, message }) => ({
    kept: leaks.flatMap(({ site }) => site).filter((line) => line.startsWith("kept by ")),
    message
  }))

describe("noLeaks with keepers", { timeout: 120_000 }, () => {
  it.live("names the variable and the path, and not only who made the memory", () =>
    Effect.gen(function*() {
      const { kept, message } = yield* lines(login)
      assert.match(
        kept[0]!,
        /^kept by (?:registry .*→ )?sessions → Map → Session(?:, near .*)?: 12 more$/
      )
      assert.include(message, kept[0]!)
      assert.match(message, /makeSession/)
    }))

  it.live("takes no heap snapshot of a test that leaks nothing", () =>
    Effect.gen(function*() {
      let asked = 0
      yield* noLeaks(Effect.void, {
        repeat: 9,
        kept: async () => {
          asked++
          return []
        }
      })
      assert.strictEqual(asked, 0)
    }))

  it.live("leaves no file", () =>
    Effect.sync(() => {
      assert.deepStrictEqual(readdirSync(tmpdir()).filter((name) => name.startsWith("fiberscope-keepers-")), [])
    }))
})
