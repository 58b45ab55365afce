/** A real PostgreSQL that stops answering: a process that waits for it must still end in time. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { fixture, start } from "../support/Process.ts"
import { makeServer } from "./server.ts"

const server = makeServer()
const why = typeof server === "string" ? server : undefined
// eslint-disable-next-line no-console
if (why !== undefined) console.log(`A shutdown in front of PostgreSQL is not tried: ${why}`)

describe.skipIf(why !== undefined)("runMain, in front of a PostgreSQL that has stopped answering", () => {
  beforeAll(() => typeof server === "string" ? undefined : server.start())
  afterAll(() => {
    if (typeof server === "string") return
    server.stop("immediate")
    server.remove()
  })

  it("ends at the deadline, and names the query and its line", async () => {
    if (typeof server === "string") return
    const source = readFileSync(fixture("shutdown/database.ts"), "utf8")
    const deadline = 1500
    const options = JSON.stringify({ deadline, preStopDelay: 0 })
    const running = start([process.execPath, fixture("shutdown/database.ts"), server.directory, options])
    await running.printed("\n")
    const backend = Number(/^up (\d+)/.exec(running.stdout())?.[1])
    assert.isAbove(backend, 1)
    process.kill(backend, "SIGSTOP")
    try {
      running.kill("SIGTERM")
      const ended = await running.ended
      assert.deepStrictEqual([ended.code, ended.signal, ended.killed], [143, null, false], ended.stderr)
      assert.isBelow(ended.ms, deadline + 1000 + ended.startMs)
      const [, line] =
        /deadline has passed: [^]*Orders\.load \(\S+database\.ts:\d+\), waits at \S+database\.ts:(\d+):/.exec(
          ended.stderr
        ) ?? []
      assert.include(source.split("\n")[Number(line) - 1], "pg_sleep", ended.stderr)
    } finally {
      process.kill(backend, "SIGCONT")
    }
  })
})
