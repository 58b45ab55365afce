/** Starts, signals and awaits real processes. */
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** The path of a program in `test/fixtures`. */
export const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

/** A process that has ended: by itself with a code, or by a signal. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** Milliseconds from the first signal, or without one from its start, to the end. */
  readonly ms: number
  /** Milliseconds until it was up, which shows how busy the machine is: about 300 on an idle one. */
  readonly startMs: number
  /** Whether it had to be killed because it did not end in 30 s. */
  readonly killed: boolean
}

export interface Running {
  readonly child: ChildProcess
  /** Resolves when stdout contains a text. */
  readonly printed: (text: string) => Promise<void>
  /** Resolves when stderr contains a text. */
  readonly complained: (text: string) => Promise<void>
  readonly stdout: () => string
  readonly kill: (signal: NodeJS.Signals, pid?: number) => void
  readonly ended: Promise<Ended>
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>
  /** The text that the process prints when it is up. */
  readonly up?: string
}

/** Halves the start time of the programs of these tests. */
const compileCache = fileURLToPath(new URL("../../../../.tmp/compile-cache", import.meta.url))

const patienceMs = 30_000

/** Starts a command, and kills it after the time limit of the tests. */
export const start = (command: ReadonlyArray<string>, { env = {}, up = "up" }: StartOptions = {}): Running => {
  const { KUBERNETES_SERVICE_HOST: _1, NODE_OPTIONS: _2, ...inherited } = process.env
  const [file, ...args] = command
  const began = performance.now()
  const child = spawn(file!, args, {
    env: { ...inherited, NO_COLOR: "1", NODE_COMPILE_CACHE: compileCache, ...env },
    stdio: ["pipe", "pipe", "pipe"]
  })
  const text = { stdout: "", stderr: "" }
  const waiting = new Set<() => void>()
  let upAt = 0
  let signalledAt = 0
  let killed = false
  const heard = (from: keyof typeof text) => (chunk: string) => {
    text[from] += chunk
    if (upAt === 0 && text.stdout.includes(up)) upAt = performance.now()
    for (const look of waiting) look()
  }
  child.stdout.setEncoding("utf8").on("data", heard("stdout"))
  child.stderr.setEncoding("utf8").on("data", heard("stderr"))
  const patience = setTimeout(() => {
    killed = true
    child.kill("SIGKILL")
  }, patienceMs)
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code, signal) => {
      clearTimeout(patience)
      const since = signalledAt === 0 ? upAt : signalledAt
      resolve({ code, signal, ...text, ms: performance.now() - since, startMs: upAt - began, killed })
    })
  })
  const contains = (from: keyof typeof text) => (what: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!text[from].includes(what)) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
      void ended.then(() => reject(new Error(`The process ended without "${what}": ${JSON.stringify(text)}`)))
    })
  return {
    child,
    printed: contains("stdout"),
    complained: contains("stderr"),
    stdout: () => text.stdout,
    kill: (signal, pid) => {
      if (signalledAt === 0) signalledAt = performance.now()
      if (pid === undefined) child.kill(signal)
      else process.kill(pid, signal)
    },
    ended
  }
}

/** Waits in real time, for events in another process. */
export const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
