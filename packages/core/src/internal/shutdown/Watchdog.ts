/** A thread that ends the process when its event loop cannot: it hears the signals itself, and counts the time itself. */
import { Worker } from "node:worker_threads"

export interface WatchdogOptions {
  /** The numbers of the signals. */
  readonly signals: ReadonlyArray<number>
  readonly deadlineMs: number
  readonly debounceMs: number
  /** Whether a second signal ends the process at once. */
  readonly force: boolean
  /** Called within the blocked code, with the stack of that code; it must end the process. */
  readonly onBlocked: (stack: string, code: number) => void
  /** Called when the thread is up. */
  readonly onListening: () => void
  /** Called when it will never be. */
  readonly onFailure: (message: string) => void
}

export interface Watchdog {
  /** A shutdown must be over in so much time, else the process ends with this code. */
  readonly arm: (ms: number, code: number) => void
  /** The event loop is alive: it has heard a signal. */
  readonly heard: () => void
  /** The process ends by itself: leave it the time to say so. */
  readonly ending: () => void
  /** Lets signals have their default effect again; returns when that is so. */
  readonly stop: () => void
}

/** What the thread is told. */
export type WatchdogMessage =
  | { readonly _tag: "Arm"; readonly ms: number; readonly code: number }
  | { readonly _tag: "Heard" }
  | { readonly _tag: "Alive" }
  | { readonly _tag: "Ending" }
  | { readonly _tag: "Stop" }

/** What the thread says: that it hears signals from now on, or that it wants to know whether the event loop is alive. */
export type WatchdogWord = "Listening" | "Alive?"

export interface WatchdogData {
  readonly signals: ReadonlyArray<number>
  readonly deadlineMs: number
  readonly debounceMs: number
  readonly force: boolean
  /** Set to 1 when signals have their default effect again. */
  readonly stopped: Int32Array<SharedArrayBuffer>
}

/** Where the thread finds {@link WatchdogOptions} `onBlocked` in the main thread. */
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
      // Signals of the process are Node's internals to a thread; without them it knows only of a shutdown that has begun.
      execArgv: ["--expose-internals", "--no-warnings"],
      // What is loaded into the program by NODE_OPTIONS is not meant for this.
      env: {},
      name: "fiberscope watchdog"
    })
  } catch (error) {
    options.onFailure(`the watchdog did not start: ${String(error)}`)
    return { arm: nothing, heard: nothing, ending: nothing, stop: nothing }
  }
  worker.on("error", (error) => options.onFailure(`the watchdog failed: ${String(error)}`))
  worker.on("message", (word: WatchdogWord) => {
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
