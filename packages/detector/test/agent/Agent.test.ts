/** The agent must not affect the program it is loaded into, even when the tool dies, stops or does not read. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { environment } from "../../src/agent/Protocol.ts"
import type { AgentOptions } from "../../src/agent/Protocol.ts"
import { limits } from "../../src/agent/SamplingInterval.ts"
import { agentUrl } from "../../src/cli/AgentFiles.ts"
import { alone, fiberscope, node, observe, startedIn } from "../support/Fiberscope.ts"

const nothing = { files: [], processes: [] }

describe.concurrent("No fiber and no result is kept alive", { timeout: 60_000 }, () => {
  it("keeps no heap after 3 000 requests that answer 100 KB each", async () => {
    const [observed, untracked] = await Promise.all([fiberscope(node("requests.mjs")), alone(node("requests.mjs"))])
    assert.strictEqual(startedIn(observed), 3001)
    const left = Number(observed.stdout.toString())
    const leftAlone = Number(untracked.stdout.toString())
    assert.isNotNaN(left + leftAlone)
    // All answers together have 300 MB, those of the tenured fibers 30 MB.
    assert.isBelow(left - leftAlone, 10 * 1024 * 1024)
  })

  it("lets dropped fibers be collected, and reports them as abandoned", async () => {
    const run = await fiberscope(node("dropped.mjs"))
    assert.strictEqual(run.stdout.toString(), "1000\n")
    assert.deepStrictEqual(run.report?.processes.map(({ fibers }) => fibers), [
      { started: 1001, ended: 1, abandoned: 1000, live: 0 }
    ])
    const at = run.recording.flatMap((message) =>
      message.type === "tick" ? message.flow.filter(([, , , , abandoned]) => abandoned > 0).map(([site]) => site) : []
    )
    const sites = run.recording.filter((message) => message.type === "site").filter(({ id }) => at.includes(id))
    assert.deepStrictEqual(sites.map(({ fork }) => fork?.name), ["drop"])
  })
})

describe.concurrent("The observed program survives the tool", { timeout: 60_000 }, () => {
  it("runs normally when everything that the agent reads is broken, and the report names each broken part", async () => {
    const [observed, untracked] = await Promise.all([
      fiberscope(node("hostile.mjs"), { flags: ["--gc"] }),
      alone(node("hostile.mjs"))
    ])
    assert.strictEqual(observed.code, untracked.code)
    assert.deepStrictEqual(observed.stdout, untracked.stdout)
    assert.strictEqual(startedIn(observed), Number(untracked.stdout.toString()))
    assert.sameMembers([...observed.report!.processes[0]!.problems], [
      "eventloop: null",
      "gc: Error: no heap",
      "memory: TypeError: no memory",
      "reading: Error: no heap",
      "resources: an error that cannot be printed"
    ])
  })

  it("continues with the same output and end when the tool is killed, and the agent removes itself", async () => {
    const lines = "until the agent is gone\nanother line\n"
    const program = observe(node("patient.mjs"), { report: false })
    program.child.stdin!.end(lines) // the program reads the first line after the steps below
    await program.printed("ready")
    program.child.kill("SIGKILL")
    const [observed, untracked] = await Promise.all([program.done, alone(node("patient.mjs"), { stdin: lines })])
    assert.deepStrictEqual(observed.stdout, untracked.stdout)
    // The program prints what it can see of the agent.
    assert.strictEqual(observed.stderr, untracked.stderr)
    assert.match(untracked.stdout.toString(), /another line: 362\nends with 3\n$/)
    assert.deepStrictEqual(observed.left.processes, [])
  })

  it("continues while the tool is stopped, and the tool counts everything afterwards", async () => {
    const program = observe(node("patient.mjs"))
    await program.printed("ready")
    program.child.kill("SIGSTOP")
    program.child.stdin!.end("a line\nwith a child\n")
    await program.printed("with a child: 362")
    program.child.kill("SIGCONT")
    const run = await program.done
    assert.strictEqual(run.code, 3)
    assert.deepStrictEqual(run.stdout.toString().split("\n"), [
      "ready",
      "a line: 362",
      "50",
      "with a child: 362",
      "ends with 3",
      ""
    ])
    assert.match(run.stderr, /"wraps":true,"hooks":true,"listens":true/)
    assert.deepStrictEqual(run.report?.processes.map(({ fibers }) => fibers.started).sort((a, b) => a - b), [50, 726])
    assert.deepStrictEqual(run.left, nothing)
  })

  it("keeps its sampling interval when a reading itself allocates a lot", async () => {
    const run = await fiberscope(node("full.mjs"))
    assert.strictEqual(run.stdout.toString(), "216000\n")
    const readings = run.recording.filter((message) => message.type === "samples")
    const born = new Map<number, number>()
    for (const reading of readings) born.set(reading.t, (born.get(reading.t) ?? 0) + reading.born.length)
    assert.isAbove(Math.max(...born.values()), 20_000)
    const restarts = run.recording.filter((message) => message.type === "sampling")
    assert.deepStrictEqual(restarts.filter(({ t }) => readings.some((reading) => reading.t === t)), [])
  })

  it("is observed to its end when more objects are alive than a reading can send", async () => {
    const run = await fiberscope(node("large-heap.mjs"), { flags: ["--for", "16s"] })
    const thinned = run.recording.flatMap((message) =>
      message.type === "sampling" && message.living !== undefined ? [message.living] : []
    )
    assert.isAbove(thinned[0]!, limits.living)
    assert.isBelow(Math.max(...run.recording.map((message) => JSON.stringify(message).length)), 256 * 1024)
    assert.strictEqual(run.report?.verdict, "leak")
    assert.strictEqual(run.report?.findings[0]?.site.name, "leak")
    assert.isBelow(run.report!.durationMs, 25_000)
    assert.match(run.report!.processes[0]!.notes!.join(), /sampled objects were alive, too many to send/)
  })

  it("is not delayed, and keeps few messages in memory, when the agent sends more than the reader reads", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fiberscope-deaf-"))
    const socket = join(folder, "agents.sock")
    const server = net.createServer({ pauseOnConnect: true }, () => {}).listen(socket)
    await once(server, "listening")
    try {
      const options: AgentOptions = { intervalMs: 100, sampling: 0, readingMs: 0, readingShare: 0, sites: "named" }
      const program = await alone(node("many-sites.mjs"), {
        env: {
          [environment.socket]: socket,
          [environment.options]: JSON.stringify(options),
          NODE_OPTIONS: `--import=${await Effect.runPromise(agentUrl)}`
        }
      })
      assert.strictEqual(program.stderr, "")
      const { listeners, waits } = JSON.parse(program.stdout.toString()) as { listeners: number; waits: number }
      assert.strictEqual(listeners, 1)
      // The names of the sites are kept once. The messages have 8 MB, of which at most 256 KB may be written ahead.
      assert.isBelow(waits, 2 * 1024 * 1024)
    } finally {
      server.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it("runs normally when nothing listens at the socket", async () => {
    const program = await alone(node("esm.mjs"), {
      env: {
        [environment.socket]: join(tmpdir(), "fiberscope-nobody.sock"),
        NODE_OPTIONS: `--import=${await Effect.runPromise(agentUrl)}`
      }
    })
    assert.deepStrictEqual([program.code, program.stdout.toString(), program.stderr], [0, "362\n", ""])
  })
})
