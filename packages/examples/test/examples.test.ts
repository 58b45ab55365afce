/**
 * Runs every example as its reader would: in a process of its own, and believes only what it prints and how it ends.
 */
import { describe, expect, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

interface Run {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly lines: ReadonlyArray<string>
  readonly stderr: string
}

const run = async (
  example: string,
  options: { readonly seconds: number; readonly terminateAfterLines?: number }
): Promise<Run> => {
  const file = fileURLToPath(new URL(`../src/${example}.ts`, import.meta.url))
  const child = spawn(process.execPath, [file, "--for", String(options.seconds)], {
    stdio: ["ignore", "pipe", "pipe"],
    // A fixed example that leaks after all would never end, and would outlive this test.
    timeout: 30_000, // a busy machine takes its time to start eight programs
    killSignal: "SIGKILL"
  })
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text
    if (!child.killed && stdout.split("\n").length > (options.terminateAfterLines ?? Infinity)) child.kill("SIGTERM")
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text)
  const [code, signal] = await once(child, "close")
  return { code, signal, lines: stdout.trimEnd().split("\n"), stderr }
}

/** What an example prints: the counts of its first round, then what it started and what was left at the end. */
const examples = [
  {
    pattern: "background-tasks",
    first: (live: number) => `${live} background tasks are live after the first 100 requests`,
    firstLeaks: 100,
    end: /^end: (\d+) requests, (\d+) background tasks are live$/,
    leaks: (requests: number) => requests
  },
  {
    pattern: "uncancelled-workers",
    first: (live: number) =>
      `after the first session ${live} workers are live and their caches hold ${live * 10} items`,
    firstLeaks: 10,
    end: /^end: (\d+) sessions, .*?(\d+) workers are live/,
    leaks: (sessions: number) => sessions * 10
  },
  {
    pattern: "rescheduling-connection",
    first: (open: number) => `${open} connections are open after the first 500 requests`,
    firstLeaks: 50,
    end: /^end: (\d+) requests, (\d+) connections are open/,
    leaks: (requests: number) => Math.ceil(requests / 10)
  },
  {
    pattern: "unfinished-generator",
    first: (unfinished: number) => `consumed 10 items; generators that did not finish: ${unfinished}`,
    firstLeaks: 1,
    end: /^end: (\d+) previews, generators that did not finish: (\d+)$/,
    leaks: (previews: number) => previews
  }
] as const

const variants = ["leaky", "fixed"] as const

describe.each(examples)("$pattern", { timeout: 60_000 }, ({ end, first, firstLeaks, leaks, pattern }) => {
  const ending = (lines: ReadonlyArray<string>) => {
    const match = end.exec(lines[2] ?? "")
    return { started: Number(match?.[1]), left: Number(match?.[2]) }
  }

  it.concurrent.each(variants)("%s prints its own counts and ends by itself", async (variant) => {
    const result = await run(`${pattern}/${variant}`, { seconds: 1 })
    expect(result).toMatchObject({ code: 0, signal: null, stderr: "" })
    expect(result.lines).toHaveLength(3)
    expect(result.lines[1]).toBe(first(variant === "leaky" ? firstLeaks : 0))
    const { left, started } = ending(result.lines)
    // The last one may be interrupted on its way, before it could leave anything behind.
    expect(started).toBeGreaterThan(1)
    expect(left).toBeGreaterThanOrEqual(variant === "leaky" ? leaks(started - 1) : 0)
    expect(left).toBeLessThanOrEqual(variant === "leaky" ? leaks(started) : 0)
  })

  it.concurrent.each(variants)("%s ends quickly on SIGTERM and says where it stood", async (variant) => {
    const result = await run(`${pattern}/${variant}`, { seconds: 60, terminateAfterLines: 2 })
    expect(result).toMatchObject({ code: 0, signal: null, stderr: "" })
    const { left } = ending(result.lines)
    expect(left >= firstLeaks).toBe(variant === "leaky")
    expect(left === 0).toBe(variant === "fixed")
  })
})
