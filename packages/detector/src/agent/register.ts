/**
 * Loaded into the observed program by `node --import`: finds Effect, and starts the agent when there is a copy of it.
 *
 * Does nothing without {@link environment}.socket, and nothing in a process that never loads Effect (npm, npx, the parent of a
 * watcher load this too).
 */
import { get } from "@fiberscope/core/FiberCensus"
import { readFileSync } from "node:fs"
import process from "node:process"
import { isMainThread, threadId } from "node:worker_threads"
import { firstInterval, startAgent } from "./Agent.ts"
import type { Agent } from "./Agent.ts"
import { connect } from "./Channel.ts"
import type { Channel } from "./Channel.ts"
import { findEffect } from "./FindEffect.ts"
import { makeForkLines } from "./ForkLines.ts"
import { environment, protocolVersion } from "./Protocol.ts"
import type { AgentOptions } from "./Protocol.ts"

// Taken at load: the program may replace the globals.
const setTimer = setInterval
const clearTimer = clearInterval
const setLater = setTimeout

const earlyMs = [50, 200]

const register = (socket: string, options: AgentOptions): void => {
  const census = get()
  const epoch = Date.now() - census.now() // now: the program may replace the clock
  let channel: Channel | undefined
  let agent: Agent | undefined
  let timer: ReturnType<typeof setInterval> | undefined
  let over = false
  let raised = false
  const releases: Array<() => void> = []
  const lines = makeForkLines(() => census.now())
  if (options.sites === "all") lines.sample(1)
  census.forkLines(lines.frameOf)

  /** Leaves the program as if the tool had never been there. */
  const end = (): void => {
    if (over) return
    over = true
    clearTimer(timer)
    agent?.stop()
    for (const release of releases) release()
    stopFinding()
    lines.stop()
    census.forkLines(undefined)
    process.off("exit", lastWords)
    const most = process.getMaxListeners()
    if (raised && most > 1) process.setMaxListeners(most - 1)
  }

  const lastWords = (code: number): void => {
    try {
      agent?.flush()
      channel?.send({ type: "bye", t: census.now(), code })
      channel?.flush()
    } catch {
      // An exception here would change the exit code of the program.
    }
  }

  const speak = (): Channel => {
    if (channel !== undefined) return channel
    channel = connect(socket, (request) => agent?.answer(request), end)
    channel.send({
      type: "hello",
      version: protocolVersion,
      pid: process.pid,
      ppid: process.ppid,
      thread: isMainThread ? 0 : threadId,
      argv: process.argv,
      cwd: folder(),
      node: process.version,
      epoch,
      intervalMs: options.intervalMs,
      samplingBytes: firstInterval(options)
    })
    // One listener more must not make Node warn about a program that has ten; 0 means that it never warns.
    raised = process.getMaxListeners() > 0
    if (raised) process.setMaxListeners(process.getMaxListeners() + 1)
    process.on("exit", lastWords)
    return channel
  }

  const adopt = (prototype: object, where: string): boolean => {
    if (over) return false
    const release = census.adopt(prototype, where)
    if (release === undefined) return false
    releases.push(release)
    const to = speak()
    to.send({ type: "copy", t: census.now(), where, effect: effectVersion(where) })
    if (agent === undefined) {
      census.flow() // from here on, what tenured fibers do is kept for the next tick
      const started = agent = startAgent(census, options, to.send, lines)
      timer = setTimer(started.tick, options.intervalMs)
      timer.unref()
      // Some processes, those of test runners for one, are killed before a first interval is over.
      for (const ms of earlyMs) setLater(() => !over && started.early(), ms).unref()
    }
    return true
  }

  const stopFinding = findEffect({
    found: adopt,
    met: (prototype, fiber) => {
      if (adopt(prototype, "the first fiber that ran")) census.meet(fiber)
    },
    unsupported: (what) => {
      if (!over) speak().send({ type: "unsupported", t: census.now(), what })
    }
  }, lines.rewrite)
}

/** The working directory, which may have been removed. */
const folder = (): string => {
  try {
    return process.cwd()
  } catch {
    return ""
  }
}

/** The version of the copy of Effect at `where`, from the manifest of its package. */
const effectVersion = (where: string): string | undefined => {
  try {
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", where), "utf8")) as {
      readonly version?: unknown
    }
    return typeof manifest.version === "string" ? manifest.version : undefined
  } catch {
    return undefined
  }
}

try {
  const socket = process.env[environment.socket]
  if (socket !== undefined) register(socket, JSON.parse(process.env[environment.options] ?? "{}") as AgentOptions)
} catch {
  // The program comes first: without an agent it runs as ever, and the other side says that nobody came.
}
