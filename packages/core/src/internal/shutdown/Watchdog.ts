/** A thread that ends the process when the event loop is blocked: it handles the signals and measures the time itself. */
import { Worker } from "node:worker_threads"

export interface WatchdogOptions {
  /** The numbers of the signals. */
  readonly signals: ReadonlyArray<number>
  readonly deadlineMs: number
  readonly debounceMs: number
  /** Whether a second signal ends the process at once. */
  readonly force: boolean
  /** Called within the blocked code, with its stack; it must end the process. */
  readonly onBlocked: (stack: string, code: number) => void
  /** Called when the thread is running. */
  readonly onListening: () => void
  /** Called when the thread cannot run. */
  readonly onFailure: (message: string) => void
}

export interface Watchdog {
  /** Ends the process with this code if the shutdown takes longer than this time in milliseconds. */
  readonly arm: (ms: number, code: number) => void
  /** The event loop is alive: it has handled a signal. */
  readonly heard: () => void
  /** The process exits on its own: give it time to print its report. */
  readonly ending: () => void
  /** Restores the default effect of signals; returns when that is done. */
  readonly stop: () => void
}

/** The messages to the thread. */
export type WatchdogMessage =
  | { readonly _tag: "Arm"; readonly ms: number; readonly code: number }
  | { readonly _tag: "Heard" }
  | { readonly _tag: "Alive" }
  | { readonly _tag: "Ending" }
  | { readonly _tag: "Stop" }

/** The messages of the thread: that it handles signals from now on, or a question whether the event loop is alive. */
export type WatchdogReply = "Listening" | "Alive?"

export interface WatchdogData {
  readonly signals: ReadonlyArray<number>
  readonly deadlineMs: number
  readonly debounceMs: number
  readonly force: boolean
  /** Set to 1 when signals have their default effect again. */
  readonly stopped: Int32Array<SharedArrayBuffer>
}

/** The key under which the thread finds {@link WatchdogOptions} `onBlocked` in the main thread. */
export const blockedKey = "@fiberscope/core/Watchdog/blocked"

const stopPatienceMs = 1000

export const startWatchdog = (options: WatchdogOptions): Watchdog => {
  const { debounceMs, deadlineMs, force, signals } = options
  const stopped = new Int32Array(new SharedArrayBuffer(4))
  const workerData: WatchdogData = { debounceMs, deadlineMs, force, signals, stopped }
  ;(globalThis as { [key: symbol]: unknown })[Symbol.for(blockedKey)] = options.onBlocked
  const thread = import.meta.url.endsWith(".ts") ? "./watchdogThread.ts" : "./watchdogThread.js"
  let worker: Worker
  try {
    worker = new Worker(new URL(thread, import.meta.url), {
      workerData,
      // A thread sees signals of the process only through Node's internals; without them it sees only a shutdown that has begun.
      execArgv: ["--expose-internals", "--no-warnings"],
      // Modules that NODE_OPTIONS loads into the program must not be loaded here.
      env: {},
      name: "fiberscope watchdog"
    })
  } catch (error) {
    options.onFailure(`the watchdog did not start: ${String(error)}`)
    return { arm: nothing, heard: nothing, ending: nothing, stop: nothing }
  }
  worker.on("error", (error) => options.onFailure(`the watchdog failed: ${String(error)}`))
  worker.on("message", (word: WatchdogReply) => {
    if (word === "Listening") options.onListening()
    else tell({ _tag: "Alive" })
  })
  worker.unref()
  const tell = (message: WatchdogMessage) => worker.postMessage(message)
  return {
    arm: (ms, code) => tell({ _tag: "Arm", ms, code }),
    heard: () => tell({ _tag: "Heard" }),
    ending: () => tell({ _tag: "Ending" }),
    stop: () => {
      tell({ _tag: "Stop" })
      Atomics.wait(stopped, 0, 0, stopPatienceMs)
    }
  }
}

const nothing = () => {}
