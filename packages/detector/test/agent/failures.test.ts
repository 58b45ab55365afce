/** Every function of the agent throws in turn, and every field of a fiber is corrupted: the program must behave as without the agent. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs"
import net from "node:net"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { environment } from "../../src/agent/Protocol.ts"
import type { AgentOptions, Message, Request, Tick } from "../../src/agent/Protocol.ts"
import { alone, node } from "../support/Fiberscope.ts"
import type { Ended } from "../support/Fiberscope.ts"
import { instrumentAgent } from "../support/instrument.ts"
import type { AgentFunction } from "../support/instrument.ts"

const options: AgentOptions = {
  intervalMs: 50,
  sampling: 65_536,
  readingMs: 500,
  readingShare: 1,
  sites: "named"
}

/** The tick that was sent last, of the text of a connection. */
const lastTick = (text: string): Tick | undefined => {
  const line = text.split("\n").slice(0, -1).findLast((one) => one.startsWith("{\"type\":\"tick\""))
  return line === undefined ? undefined : JSON.parse(line) as Tick
}

/** The visible behaviour of a program. */
const visible = ({ code, signal, stderr, stdout }: Ended) => ({ code, signal, stderr, stdout: stdout.toString() })

describe.concurrent("The program behaves as without the agent", { timeout: 300_000 }, () => {
  let folder: string
  let agent: { readonly functions: ReadonlyArray<AgentFunction>; readonly entry: string }
  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "fiberscope-failures-")))
    agent = instrumentAgent(join(folder, "instrumented"))
    return () => rmSync(folder, { recursive: true, force: true })
  })

  let sockets = 0
  /** Runs a program under the instrumented agent, with a reader that sends every request. */
  const observed = async (
    program: ReadonlyArray<string>,
    env: Readonly<Record<string, string>>,
    changed: Partial<AgentOptions> = {}
  ): Promise<{ readonly ended: Ended; readonly said: ReadonlyArray<Message> }> => {
    const path = join(folder, `${sockets++}.sock`)
    let text = ""
    const server = net.createServer((socket) => {
      const ask = (question: Request) => socket.write(JSON.stringify(question) + "\n")
      // Like the tool, it asks for the sites with the most fibers, again and again: on a busy machine the first answers are empty.
      const timer = setInterval(() => {
        for (const [site] of lastTick(text)?.live.slice(0, 4) ?? []) ask({ type: "inspect", site, most: 3 })
      }, 250)
      const first = setTimeout(() => {
        ask({ type: "lines" })
        ask({ type: "read" })
      }, 100)
      socket.setEncoding("utf8").on("data", (chunk: string) => text += chunk)
      socket.on("error", () => {}).on("close", () => {
        clearTimeout(first)
        clearInterval(timer)
      })
    }).listen(path)
    try {
      const ended = await alone(program, {
        env: {
          ...env,
          [environment.socket]: path,
          [environment.options]: JSON.stringify({ ...options, ...changed, marks: `${path}.marks` }),
          // Most of the work of a short run is compiling the same modules again.
          NODE_COMPILE_CACHE: join(folder, "compiled"),
          NODE_OPTIONS: `--import=${JSON.stringify(agent.entry)}`
        }
      })
      const lines = text.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"))
      return { ended, said: lines.map((line) => JSON.parse(line) as Message) }
    } finally {
      server.close()
    }
  }

  /** The numbers of the functions that run with these options. */
  const ranWith = async (changed: Partial<AgentOptions>, untracked: Ended): Promise<ReadonlyArray<number>> => {
    const log = join(folder, `ran-${sockets}.json`)
    const { ended, said } = await observed(node("everything.mjs"), { FAIL_LOG: log }, changed)
    assert.deepStrictEqual(visible(ended), visible(untracked))
    assert.isTrue(said.some(({ type }) => type === "waiting"), "the program uses all that the agent has")
    return JSON.parse(readFileSync(log, "utf8")) as ReadonlyArray<number>
  }

  it("when any function of the agent throws", async () => {
    const untracked = await alone(node("everything.mjs"))
    // Some more functions run when every fork has its line and the sampling interval adapts to the program.
    const more: Partial<AgentOptions> = { sites: "all", sampling: "adaptive" }
    const [usual, all] = [await ranWith({}, untracked), await ranWith(more, untracked)]
    assert.isAbove(usual.length, agent.functions.length / 2)
    const runs = [
      ...usual.map((number) => ({ number, changed: {} })),
      ...all.filter((number) => !usual.includes(number)).map((number) => ({ number, changed: more }))
    ]
    const harmed: Array<unknown> = []
    let silent = 0
    const todo = runs.values()
    const worker = async (): Promise<void> => {
      for (const { changed, number } of todo) {
        const { ended, said } = await observed(node("everything.mjs"), { FAIL_AT: String(number) }, changed)
        try {
          assert.deepStrictEqual(visible(ended), visible(untracked))
        } catch (error) {
          harmed.push([agent.functions[number], String(error)])
        }
        if (!said.some(({ type }) => type === "problem")) silent++
      }
    }
    // A run waits for four fifths of its time.
    await Promise.all(Array.from({ length: 5 * availableParallelism() }, worker))
    assert.deepStrictEqual(harmed, [])
    // Functions that send messages, or that run as the program ends, cannot report that they failed.
    assert.isBelow(silent, runs.length / 2)
  })

  it.each([
    "id",
    "currentOpCount",
    "interruptible",
    "cache",
    "context",
    "_exit",
    "_stack",
    "_parent",
    "_running",
    "_children",
    "_observers",
    "_interruptedCause",
    "_asyncContext"
  ])("when the field %s of fibers is deleted or has another type", async (field) => {
    const [untracked, tracked] = await Promise.all([
      alone(node("spoilt-fields.mjs", field)),
      observed(node("spoilt-fields.mjs", field), {})
    ])
    assert.deepStrictEqual(visible(tracked.ended), visible(untracked))
    assert.strictEqual(untracked.code, 3)
    assert.isTrue(tracked.said.some(({ type }) => type === "copy"))
  })
})
