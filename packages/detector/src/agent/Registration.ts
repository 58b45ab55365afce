/**
 * Finds every copy of Effect that the program loads, and starts the agent for the first one.
 *
 * npm, npx and the parent of a watcher load this too. In a process that never loads Effect it opens no connection: it only writes a
 * mark, so that the run knows into which processes the agent was loaded.
 */
import { get, makeGuard, observable } from "@fiberscope/core/FiberCensus"
import type { GuardedTimer } from "@fiberscope/core/FiberCensus"
import { readFileSync } from "node:fs"
import process from "node:process"
import { isMainThread, threadId } from "node:worker_threads"
import { firstInterval, startAgent } from "./Agent.ts"
import type { Agent } from "./Agent.ts"
import { connect } from "./Channel.ts"
import type { Channel } from "./Channel.ts"
import { findEffect } from "./FindEffect.ts"
import { makeForkLines } from "./ForkLines.ts"
import { leaveMark } from "./Mark.ts"
import { protocolVersion } from "./Protocol.ts"
import type { AgentOptions } from "./Protocol.ts"
import { isInTests } from "./TestFile.ts"

const earlyMs = [50, 200]

/** The interval of ticks in test runs, in milliseconds. It is short because a worker gets no signal before it is killed. */
const inTestsMs = 10

const defaults: AgentOptions = { intervalMs: 1000, sampling: 0, readingMs: 0, readingShare: 0, sites: "named" }

/** Starts to look for Effect. `json` has some or all of {@link AgentOptions}. */
export const register = (socket: string, json: string | undefined): void => {
  const options: AgentOptions = { ...defaults, ...JSON.parse(json ?? "{}") as Partial<AgentOptions> }
  const census = get()
  const epoch = Date.now() - census.now() // read at load: the program may replace the clock later
  const early: Array<readonly [probe: string, message: string]> = []
  const problem = (probe: string, message: string): void => {
    if (channel === undefined) early.push([probe, message])
    else channel.send({ type: "problem", t: census.now(), probe, message })
  }
  const guard = makeGuard(problem)
  let channel: Channel | undefined
  let agent: Agent | undefined
  const timers: Array<GuardedTimer> = []
  let over = false
  let raised = false
  const releases: Array<() => void> = []
  const lines = makeForkLines(() => census.now(), guard)
  if (options.sites === "all") lines.sampleEvery(1)
  census.forkLines(lines.frameOf)
  releases.push(census.onFailure((message) => problem("fibers", message)))

  /** Removes everything that the agent has installed in the program. */
  const end = (): void => {
    if (over) return
    over = true
    for (const timer of timers) timer.stop()
    agent?.stop()
    for (const release of releases) release()
    stopFinding()
    lines.stop()
    census.forkLines(undefined)
    process.off("exit", lastWords)
    const most = process.getMaxListeners()
    if (raised && most > 1) process.setMaxListeners(most - 1)
  }

  const lastWords = guard.entry("last words", (code: number): void => {
    agent?.flush()
    channel?.send({ type: "bye", t: census.now(), code })
    channel?.flush()
  })

  const speak = (): Channel => {
    if (channel !== undefined) return channel
    channel = connect(socket, (request) => agent?.answer(request), end, guard)
    channel.send({
      type: "hello",
      version: protocolVersion,
      pid: process.pid,
      ppid: process.ppid,
      thread: isMainThread ? 0 : threadId,
      argv: process.argv.filter((one) => typeof one === "string"),
      cwd: folder(),
      node: process.version,
      epoch,
      intervalMs: options.intervalMs,
      samplingBytes: firstInterval(options)
    })
    for (const [probe, message] of early) problem(probe, message)
    // The agent's listener must not cause Node's warning in a program that has ten; 0 means that Node never warns.
    raised = process.getMaxListeners() > 0
    if (raised) process.setMaxListeners(process.getMaxListeners() + 1)
    process.on("exit", lastWords)
    return channel
  }

  /** Makes a function that calls `look` only when fibers have started or ended since the last call. */
  const changes = (look: () => void): () => void => {
    let before = -1
    return () => {
      const { ended, started } = census.counts()
      if (started + ended === before) return
      before = started + ended
      look()
    }
  }

  const unsupported = (what: string, where?: string): void => {
    if (!over) speak().send({ type: "unsupported", t: census.now(), what, where })
  }

  const attach = (prototype: object, where: string, version: string | undefined): boolean => {
    if (over) return false
    const name = `effect ${version ?? "of an unknown version"}`
    const release = census.adopt(prototype, where, {
      confirmed: (missing) => {
        if (missing.length > 0) speak().send({ type: "lacking", t: census.now(), where, missing })
      },
      refused: (why) => {
        unsupported(`${name} at ${where} cannot be observed: ${why}. Fiberscope observes effect ${observable}`, where)
      }
    })
    if (release === undefined) {
      unsupported(`${name} at ${where} cannot be observed. Fiberscope observes effect ${observable}`, where)
      return false
    }
    releases.push(release)
    const to = speak()
    to.send({ type: "copy", t: census.now(), where, effect: version })
    if (agent === undefined) {
      census.flow() // begins the record of tenured fibers, which each tick reads
      const started = agent = startAgent(census, options, to, guard, lines)
      timers.push(guard.every("interval", options.intervalMs, started.tick))
      // Some processes, such as those of test runners, are killed before the first interval is over.
      for (const ms of earlyMs) timers.push(guard.after("early", ms, started.early))
      if (isInTests) timers.push(guard.every("tests", inTestsMs, changes(started.early)))
    }
    return true
  }

  const stopFinding = findEffect(
    {
      found: (prototype, where) => void attach(prototype, where, manifestVersion(where)),
      foundRunning: (prototype, fiber, where, version) => {
        if (attach(prototype, where, version)) census.meet(fiber)
      },
      unsupported
    },
    lines.rewrite,
    guard
  )
  leaveMark(options.marks)
}

/** The working directory; empty when it has been removed. */
const folder = (): string => {
  try {
    return String(process.cwd())
  } catch {
    return ""
  }
}

/** The version of the copy of Effect at `where`, from the manifest of its package. */
const manifestVersion = (where: string): string | undefined => {
  try {
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", where), "utf8")) as {
      readonly version?: unknown
    }
    return typeof manifest.version === "string" ? manifest.version : undefined
  } catch {
    return undefined
  }
}
