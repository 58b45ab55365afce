/**
 * The thread of {@link "Watchdog"}. It has its own event loop, so it continues when the main one is blocked. Through the
 * inspector it can pause the blocking code, find where it is, and make it end the process. A process that does not even answer
 * the inspector is killed.
 */
import { writeSync } from "node:fs"
import { Session } from "node:inspector"
import { createRequire } from "node:module"
import { parentPort, workerData } from "node:worker_threads"
import { isProgramFile } from "../census/programFile.ts"
import type { WatchdogData, WatchdogMessage, WatchdogReply } from "./Watchdog.ts"
import { blockedKey } from "./Watchdog.ts"

const { debounceMs, deadlineMs, force, signals, stopped } = workerData as WatchdogData

/**
 * The times before and after the deadline, in milliseconds, at which the main thread is asked whether it is alive, and by which
 * it must answer.
 */
const askMs = 1000
const answerMs = 250
/** The time, in milliseconds, for a main thread that is alive to end on its own. */
const aliveMs = 600
/**
 * The time, in milliseconds, for the main thread to be paused. A thread that runs on a busy machine may use this much processor
 * time instead; a thread that uses none is not running JavaScript.
 */
const pauseMs = 600
const pauseCpuMs = 300
const idleCpuMs = 6
const pauseAtMostMs = 5000
/** The time, in milliseconds, for the main thread to print its report. */
const reportMs = 2000
/** The time, in milliseconds, for the main thread to handle a signal. */
const hearMs = 300
const maxFrames = 12

/** The part of `signal_wrap` that is needed. */
interface SignalWrap {
  onsignal: (signal: number) => void
  start(signal: number): number
  unref(): void
  close(): void
}

const now = () => performance.now()
let first: { readonly signal: number; readonly at: number } | undefined
let unheard = 0
let code = 1
let endAt = Infinity
let timers: ReadonlyArray<NodeJS.Timeout> = []
let alive = false
let ending = false

/** The process must exit within this time. */
const endIn = (ms: number): void => {
  if (now() + ms >= endAt) return
  endAt = now() + ms
  for (const timer of timers) clearTimeout(timer)
  timers = [
    setTimeout(() => {
      alive = false
      say("Alive?")
    }, Math.max(ms - askMs, ms / 2)),
    // Finding the place takes time: prepare everything before it is needed.
    setTimeout(() => alive || inspect(), ms),
    setTimeout(() => alive || end(), ms + answerMs),
    setTimeout(end, ms + aliveMs)
  ]
}

const say = (word: WatchdogReply): void => parentPort!.postMessage(word)

const onSignal = (signal: number): void => {
  unheard++
  if (first === undefined) {
    first = { signal, at: now() }
    code = 128 + signal
    endIn(deadlineMs)
    setTimeout(() => unheard > 0 && inspect(), hearMs)
  } else if (force && now() - first.at >= debounceMs) {
    code = 128 + signal
    // If the main thread handles it, the process has exited by then.
    setTimeout(() => unheard > 0 && end(), hearMs)
  }
}

const listen = (): ReadonlyArray<SignalWrap> => {
  try {
    const require = createRequire(import.meta.url)
    const { internalBinding } = require("internal/test/binding") as {
      readonly internalBinding: (name: string) => { readonly Signal: new() => SignalWrap }
    }
    const { Signal } = internalBinding("signal_wrap")
    return signals.map((signal) => {
      const wrap = new Signal()
      wrap.onsignal = onSignal
      wrap.unref()
      wrap.start(signal)
      return wrap
    })
  } catch {
    return []
  }
}

const wraps = listen()

parentPort!.on("message", (message: WatchdogMessage) => {
  if (message._tag === "Heard") unheard = 0
  else if (message._tag === "Alive") alive = true
  else if (message._tag === "Arm") {
    code = message.code
    endIn(message.ms)
  } else if (message._tag === "Ending") {
    for (const timer of timers) clearTimeout(timer)
    session?.disconnect()
    setTimeout(() => kill("the process does not exit"), reportMs)
  } else {
    for (const wrap of wraps) wrap.close()
    Atomics.store(stopped, 0, 1)
    Atomics.notify(stopped, 0)
  }
})

interface CallFrame {
  readonly functionName: string
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number }
}

let session: Session | undefined
const urls = new Map<string, string>()

const inspect = (): void => {
  if (session !== undefined) return
  session = new Session()
  session.connectToMainThread()
  session.on("Debugger.scriptParsed", ({ params }) => void urls.set(params.scriptId, params.url))
  session.post("Debugger.enable")
}

const end = (): void => {
  if (ending) return
  ending = true
  const began = now()
  const cpuBefore = cpuMs()
  const impatient = setInterval(() => {
    const waited = now() - began
    const used = cpuMs() - cpuBefore
    const starved = used > idleCpuMs && used < pauseCpuMs && waited < pauseAtMostMs
    if (waited >= pauseMs && !starved) kill("the event loop is blocked, and not by JavaScript")
  }, 50)
  try {
    inspect()
    session!.on("Debugger.paused", ({ params }) => {
      clearInterval(impatient)
      setTimeout(() => kill("the process does not exit"), reportMs)
      const frames = params.callFrames as ReadonlyArray<CallFrame>
      const own = frames.filter(isProgram)
      const shown = (own.length > 0 ? own : frames).slice(0, maxFrames)
      const stack = JSON.stringify(shown.map(renderCallFrame).join("\n"))
      // A thread cannot choose the exit code of the process: the main thread must exit by itself, in the middle of the blocking
      // code.
      const expression = `globalThis[Symbol.for(${JSON.stringify(blockedKey)})](${stack}, ${code})`
      session!.post("Runtime.evaluate", { expression })
    })
    session!.post("Debugger.pause")
  } catch {
    kill("the event loop is blocked, and there is no inspector to ask where")
  }
}

const cpuMs = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

const kill = (why: string): void => {
  print(`${why}: the process is killed`)
  process.kill(process.pid, "SIGKILL")
}

const urlOf = ({ location }: CallFrame): string => urls.get(location.scriptId) ?? ""

/** Whether a frame is of the program: not of Node, of a library, or of the interruption itself. */
const isProgram = (frame: CallFrame): boolean => {
  const url = urlOf(frame)
  return isProgramFile(url) && !url.startsWith(ours)
}

const ours = new URL("../..", import.meta.url).href

const renderCallFrame = (frame: CallFrame): string => {
  const { columnNumber = 0, lineNumber } = frame.location
  const file = urlOf(frame).replace(/^file:\/\//, "")
  return `${frame.functionName || "(anonymous)"} (${file}:${lineNumber + 1}:${columnNumber + 1})`
}

const print = (text: string): void => {
  try {
    writeSync(2, `${text}\n`)
  } catch {
    // The output is broken: the text cannot be printed anywhere.
  }
}

say("Listening")
