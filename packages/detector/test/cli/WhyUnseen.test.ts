import { assert, describe, it } from "@effect/vitest"
import { whyUnseen } from "../../src/cli/WhyUnseen.ts"
import type { Unseen } from "../../src/cli/WhyUnseen.ts"
import { fiberscope, fixture, node } from "../support/Fiberscope.ts"

const why = (
  given: Partial<Omit<Unseen, "end">> & { readonly command?: ReadonlyArray<string>; readonly code?: number }
) =>
  whyUnseen({
    end: { command: given.command ?? ["node", "app.mjs"], code: given.code, signal: undefined, stoppedByTool: false },
    marks: given.marks ?? [],
    runtimes: given.runtimes ?? []
  })

const mark = (...argv: ReadonlyArray<string>) => ({ pid: 7, thread: 0, argv: ["/usr/bin/node", ...argv] })

describe("whyUnseen", () => {
  it("names the process whose parent removed NODE_OPTIONS", () => {
    const runtimes = [{ pid: 12, name: "node", hasAgent: false } as const]
    assert.match(why({ runtimes, marks: [mark("npm")] }), /^node \(pid 12\) was started without the NODE_OPTIONS/)
  })

  it("names Bun and Deno, by the command or by the process", () => {
    assert.match(why({ command: ["/opt/bin/bun", "run", "x.ts"] }), /^bun ran the program/)
    assert.match(why({ command: ["deno", "run", "x.ts"] }), /^deno ran the program/)
    assert.match(
      why({ command: ["sh"], runtimes: [{ pid: 1, name: "deno", hasAgent: true }] }),
      /^deno ran the program/
    )
  })

  it("names the processes with the agent when none of them loaded effect", () => {
    assert.strictEqual(
      why({ marks: [mark("npm", "start"), mark("server.js"), mark("server.js")] }),
      "the agent was loaded into `node npm start` and `node server.js`, but effect was not loaded there"
    )
    assert.match(
      why({ marks: Array.from({ length: 58 }, (_, i) => mark(`${i}.js`)) }),
      /`node 2.js` and 55 more, but effect was not/
    )
  })

  it("names a program that failed first, and a node that is too old", () => {
    assert.match(why({ code: 1, marks: [mark("a")] }), /^the program failed with code 1 before a fiber/)
    assert.match(why({ code: 3 }), /^the program failed with code 3 before the agent was loaded/)
    assert.match(why({ code: 9 }), /older than 20/)
  })

  it("reports that the agent was never loaded when nothing else is known", () => {
    assert.match(why({ command: ["sleep", "1"] }), /^the agent was never loaded/)
  })
})

describe.concurrent("fiberscope run without a fiber", { timeout: 60_000 }, () => {
  const reasonOf = async (command: ReadonlyArray<string>): Promise<string> => {
    const run = await fiberscope(command, { flags: ["--for", "3s"] })
    assert.strictEqual(run.report?.verdict, "undecided")
    assert.isBelow(run.report!.durationMs, 5500, "it ends after --for, and not after twice that")
    return run.report!.because
  }

  it("reports that a parent removed NODE_OPTIONS", async ({ skip }) => {
    if (process.platform !== "linux") skip("the system does not show the environment of a process")
    const reason = await reasonOf(["env", "-u", "NODE_OPTIONS", process.execPath, fixture("signals.mjs")])
    assert.match(reason, /^node \(pid \d+\) was started without the NODE_OPTIONS/)
  })

  it("reports that effect was not loaded", async () => {
    const reason = await reasonOf([process.execPath, "-e", "setInterval(() => {}, 1000)"])
    assert.match(reason, /^the agent was loaded into `node`, but effect was not loaded there$/)
  })

  it("reports that no process was node", async () => {
    assert.match(await reasonOf(["sleep", "60"]), /^the agent was never loaded: no process of the program was node/)
  })

  it("reports that effect was loaded and no fiber of it ran", async () => {
    const script = `import "effect"; setInterval(() => {}, 1000)`
    const reason = await reasonOf([process.execPath, "--input-type=module", "-e", script])
    assert.match(reason, /^effect \S+ was loaded, and no fiber of it ran$/)
  })

  it("reports that the connection was lost while the program continued, and gives no ok", async () => {
    const run = await fiberscope(node("cuts-connection.mjs"), { flags: ["--for", "5s"] })
    assert.strictEqual(run.code, 0, run.stderr)
    assert.strictEqual(run.report?.verdict, "undecided")
    assert.match(run.report!.because, /^part of the observation failed: connection: lost after [123] s$/)
  })
})
