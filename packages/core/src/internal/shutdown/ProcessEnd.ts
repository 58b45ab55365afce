/** The end of a process: signals, faults, the deadline, the interruption of all live fibers, the report, and the exit. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import { constants } from "node:os"
import { isatty } from "node:tty"
import { inspect } from "node:util"
import * as FiberCensus from "../../FiberCensus.ts"
import type { RuntimeFiber } from "../census/FiberRuntime.ts"
import { prototypeOf } from "../census/FiberRuntime.ts"
import { isSomewhere, liveRoots, renderTime, stuckFibers, where } from "../fibers/stuckFibers.ts"
import type { StuckFiber } from "../fibers/stuckFibers.ts"
import type { ShutdownControl } from "./control.ts"
import { sequenceFrame } from "./Drain.ts"
import type { EndReport, Reason, RunMainOptions } from "./model.ts"
import { openHandles } from "./openHandles.ts"
import { renderEnd, renderLeft, renderReason } from "./renderEnd.ts"
import { notifyServiceManager } from "./serviceManager.ts"
import type { Watchdog } from "./Watchdog.ts"
import { startWatchdog } from "./Watchdog.ts"

// Taken at load: the program may replace the globals.
const later = setTimeout
const everySoOften = setInterval
const afterThis = setImmediate
const now = performance.now.bind(performance)

/** Signals within this time after the first one, in milliseconds, are the same signal delivered twice. */
const debounceMs = 300
/** The interval at which progress is checked, and the interval at which unchanged progress is printed again, in milliseconds. */
const progressMs = 500
const patienceMs = 5000
/** The time, in milliseconds, for a signal to oneself to take effect. The kernel delivers it at once, except to process 1. */
const reraiseMs = 100

/** The time that systemd waits beyond the deadline, in milliseconds. */
const marginMs = 2000

const codeOf = (signal: NodeJS.Signals): number => 128 + constants.signals[signal]

export class ProcessEnd {
  readonly #control: ShutdownControl
  readonly #options: RunMainOptions
  readonly #signals: ReadonlyArray<NodeJS.Signals>
  #main: Fiber.Fiber<unknown, unknown> | undefined
  #mainExit: Exit.Exit<unknown, unknown> | undefined
  #mainCode: number | undefined
  #interrupting = false
  #firstSignal: { readonly signal: NodeJS.Signals; readonly at: number } | undefined
  #faults = 0
  #faultsNow = false
  #brokenOutput = false
  #began = 0
  #deadlineAt = Infinity
  #deadlineTimer: ReturnType<typeof setTimeout> | undefined
  #watchdog: Watchdog | undefined
  #ending = false

  constructor(control: ShutdownControl, options: RunMainOptions) {
    this.#control = control
    this.#options = options
    this.#signals = options.signals ?? ["SIGTERM", "SIGINT", "SIGHUP"]
  }

  /** Installs the handlers before the program starts. */
  install(): void {
    for (const signal of this.#signals) process.on(signal, this.#onSignal)
    if (this.#options.faults !== "ignore") {
      process.on("uncaughtException", this.#onFault)
      // Output without a reader is not a reason to exit without finalizers, and during a shutdown it is ignored.
      process.stdout.on("error", this.#onBrokenOutput)
      process.stderr.on("error", this.#onBrokenOutput)
    }
    this.#control.drain.onBegun((reason) => this.#onBegun(reason))
    this.#control.drain.onStarted(() => this.#notifySystemd("READY=1"))
    if (this.#options.watchdog === true) {
      // With the watchdog option, the service is not ready before the watchdog is.
      this.#control.drain.startups++
      let starting = true
      const guarded = () => {
        if (starting) this.#control.drain.endStartUp(false)
        starting = false
      }
      this.#watchdog = startWatchdog({
        signals: this.#signals.map((signal) => constants.signals[signal]),
        deadlineMs: this.#control.deadline,
        debounceMs,
        force: (this.#options.secondSignal ?? "force") === "force",
        onBlocked: (stack, code) => this.#force("blocked", code, stack),
        onListening: guarded,
        onFailure: (message) => {
          this.#print(message)
          guarded()
        }
      })
    }
  }

  /** Called in the first run of the main fiber, before any code of the program. */
  attach(fiber: Fiber.Fiber<unknown, unknown>, teardown: Runtime.Teardown): void {
    this.#main = fiber
    const census = FiberCensus.get()
    if (census.adopt(prototypeOf(fiber), "runMain") !== undefined) census.meet(fiber)
    fiber.addObserver((exit) => {
      this.#mainExit = exit
      teardown(exit, (code) => {
        this.#mainCode = code
        this.#onMainEnded(exit, code)
      })
    })
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const at = now()
    this.#watchdog?.heard()
    // The terminal has written ^C into the line.
    if (signal === "SIGINT" && isatty(2)) this.#print("")
    if (this.#firstSignal === undefined) {
      this.#firstSignal = { signal, at }
      // After Ctrl-C there is no load balancer to wait for.
      const hurry = signal === "SIGINT" && isatty(0)
      if (this.#control.drain.reason === undefined) this.#control.begin({ _tag: "Signal", signal }, { hurry })
      else this.#print(`${signal}: ${this.#stillWaiting()}`)
      return
    }
    if (at - this.#firstSignal.at < debounceMs) return
    const second = this.#options.secondSignal ?? "force"
    if (second === "force") return this.#force("secondSignal", codeOf(signal))
    if (second !== "ignore") this.#shorten(Duration.toMillis(second.shortenTo))
    this.#print(`${signal}: ${this.#stillWaiting()}`)
  }

  readonly #onFault = (error: unknown, origin: string): void => {
    this.#print(`${origin}: ${error instanceof Error ? inspect(error) : `thrown: ${inspect(error)}`}`)
    if (this.#ending) return
    // Several faults in one turn of the event loop count as one.
    const again = this.#faultsNow
    if (!again) this.#faults++
    this.#faultsNow = true
    afterThis(() => this.#faultsNow = false)
    if (this.#faults > 1) return this.#force("secondFault", 1)
    // Wait for the end of this turn: other faults in it must be printed before the process may exit.
    if (this.#faults === 1 && !again) afterThis(() => this.#stopAfterFault(origin, error))
  }

  readonly #onBrokenOutput = (error: unknown): void => {
    if (this.#control.drain.reason !== undefined) return
    this.#brokenOutput = true
    this.#stopAfterFault("broken output", error)
  }

  #stopAfterFault(kind: string, error: unknown): void {
    const ms = Duration.toMillis(this.#options.faultDeadline ?? "5 seconds")
    const deadline = Math.min(ms, this.#control.deadline)
    if (this.#control.drain.reason === undefined) {
      this.#control.begin({ _tag: "Fault", kind, error }, { deadline, hurry: true })
    } else this.#shorten(deadline)
  }

  #onBegun(reason: Reason): void {
    this.#began = now()
    const fault = reason._tag === "Fault" ? Duration.toMillis(this.#options.faultDeadline ?? "5 seconds") : Infinity
    this.#setDeadline(Math.min(fault, this.#control.deadline))
    const once = this.#options.secondSignal === undefined || this.#options.secondSignal === "force"
    const hint = isatty(0) && once ? ". Ctrl-C ends it at once" : ""
    this.#print(`${renderReason(reason)}: stopping, in ${renderTime(this.#deadlineAt - now())} at most${hint}`)
    this.#notifySystemd("STOPPING=1", `EXTEND_TIMEOUT_USEC=${Math.round((this.#deadlineAt - now() + marginMs) * 1000)}`)
    this.#printProgress()
    this.#control.drain.onDrained(() => this.#interruptMain())
  }

  #setDeadline(ms: number): void {
    const at = now() + ms
    if (at >= this.#deadlineAt) return
    this.#deadlineAt = at
    clearTimeout(this.#deadlineTimer)
    // Not unref'ed: with an empty event loop the process would exit with code 0 in the middle of the drain.
    this.#deadlineTimer = later(() => this.#force("deadline", this.#code(true)), ms)
    this.#watchdog?.arm(ms, this.#code(true))
  }

  #shorten(ms: number): void {
    this.#setDeadline(ms)
    this.#control.drain.shorten(ms)
    if (this.#interrupting) this.#interruptOthers()
  }

  /** Interrupts the main fiber after the drain. */
  #interruptMain(): void {
    this.#interrupting = true
    if (this.#mainExit !== undefined) {
      if (this.#mainCode !== undefined) this.#awaitRoots()
      return
    }
    // Detached fibers must get time for their finalizers even if a finalizer of the main fiber hangs.
    later(() => this.#interruptOthers(), (this.#deadlineAt - now()) / 2)
    this.#main!.interruptUnsafe(this.#main!.id)
  }

  #onMainEnded(exit: Exit.Exit<unknown, unknown>, code: number): void {
    if (this.#control.drain.reason === undefined) {
      // After a successful main effect, remaining fibers keep the process alive, as they do without `runMain`.
      if (code !== 0) this.#control.begin({ _tag: "MainFailed" }, { hurry: true })
      return
    }
    if (!this.#interrupting) return
    // The runtime skips `runMain`'s own report in a fiber that was interrupted.
    if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) && this.#options.disableErrorReporting !== true) {
      if (Runtime.getErrorReported(Cause.squash(exit.cause))) {
        this.#print(`failed while it was interrupted: ${Cause.pretty(exit.cause)}`)
      }
    }
    this.#awaitRoots()
  }

  /** The fibers of the shutdown itself. */
  get #own(): ReadonlySet<unknown> {
    return this.#control.drain.fibers
  }

  #stuck(locate: boolean): ReadonlyArray<StuckFiber> {
    const own = this.#own
    const has = (fiber: RuntimeFiber) => own.has(fiber) || fiber.cache.stackFrame === sequenceFrame
    return stuckFibers(this.#main, { has }, locate)
  }

  #interruptRoots(): ReadonlyArray<Fiber.Fiber<unknown, unknown>> {
    const roots = liveRoots(new Set([...this.#own, this.#main]))
    for (const root of roots) root.interruptUnsafe(this.#main!.id)
    return roots
  }

  /** Interrupts the other fibers when the main fiber does not end: it may be waiting for one of them. */
  #interruptOthers(): void {
    if (this.#mainExit !== undefined) return
    const others = this.#stuck(true).filter(({ main }) => !main)
    if (others.length === 0) return
    this.#print(
      renderLeft("main does not end: interrupting all other live fibers", others, openHandles(), process.cwd())
    )
    this.#interruptRoots()
  }

  /** Interrupts all live fibers besides the main fiber until none remains, and exits. */
  #awaitRoots(): void {
    const left = this.#interruptRoots().filter((root) => root.pollUnsafe() === undefined)
    // Wait one turn of the event loop: promises that depend on ended fibers settle, and new fibers become visible.
    const again = () =>
      afterThis(() => {
        if (liveRoots(this.#own).length > 0) this.#awaitRoots()
        else this.#exit(this.#report(undefined, this.#code(false), undefined))
      })
    let pending = left.length
    if (pending === 0) again()
    for (const root of left) root.addObserver(() => --pending === 0 && again())
  }

  /** The exit code in the current state. */
  #code(forced: boolean): number {
    const { participants } = this.#control.drain.report()
    const reason = this.#control.drain.reason
    if (this.#faults > 0 || this.#brokenOutput) return 1
    // 130 is the exit code of an interrupted main fiber, and the shutdown interrupted it.
    if (this.#mainCode !== undefined && this.#mainCode !== 0 && this.#mainCode !== 130) return this.#mainCode
    if (reason?._tag === "MainFailed") return this.#mainCode ?? 1
    if (participants.some(({ outcome }) => outcome === "failed")) return 1
    if (reason?._tag !== "Signal") return forced ? 1 : 0
    return this.#options.exitCode === "zero" && !forced ? 0 : codeOf(reason.signal)
  }

  #force(forced: NonNullable<EndReport["forced"]>, code: number, blockedAt?: string): void {
    if (this.#ending) return
    this.#watchdog?.ending()
    this.#exit(this.#report(forced, code, blockedAt))
  }

  #report(forced: EndReport["forced"], exitCode: number, blockedAt: string | undefined): EndReport {
    return {
      ...this.#control.drain.report(),
      exitCode,
      forced,
      // The inspector cannot be queried during a pause that it has caused.
      stuck: forced === undefined ? [] : this.#stuck(blockedAt === undefined),
      handles: forced === undefined ? [] : openHandles(),
      blockedAt
    }
  }

  #exit(report: EndReport): void {
    if (this.#ending) return
    this.#ending = true
    clearTimeout(this.#deadlineTimer)
    this.#print(renderEnd(report, this.#began === 0 ? undefined : now() - this.#began, process.cwd()))
    try {
      this.#options.onEnd?.(report)
    } catch (error) {
      this.#print(`onEnd failed: ${inspect(error)}`)
    }
    const reason = this.#control.drain.reason
    if (
      this.#options.exitCode === "reraise" && reason?._tag === "Signal" && report.exitCode === codeOf(reason.signal)
    ) {
      this.#reraise(reason.signal)
    } else process.exit(report.exitCode)
  }

  #reraise(signal: NodeJS.Signals): void {
    this.#watchdog?.stop()
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
    later(() => process.exit(codeOf(signal)), reraiseMs)
  }

  #stillWaiting(): string {
    const waiting = this.#waitingFor()
    const left = renderTime(Math.max(this.#deadlineAt - now(), 0))
    return waiting.length === 0 ? `stopping, ${left} left` : `waiting for ${waiting.join(", ")}; ${left} left`
  }

  #waitingFor(): ReadonlyArray<string> {
    if (!this.#interrupting) return this.#control.drain.waitingFor()
    const fibers = this.#stuck(false)
    const base = process.cwd()
    const names = new Set(fibers.map((fiber) => {
      const who = fiber.main ? "main" : "a fiber"
      return isSomewhere(fiber) ? `${who} in ${where(fiber, base)}` : who
    }))
    const few = [...names].slice(0, 3)
    return names.size > few.length ? [...few, `${names.size - few.length} more`] : few
  }

  #printProgress(): void {
    let printed = ""
    let printedAt = 0
    everySoOften(() => {
      const waiting = this.#waitingFor().join(", ")
      if (waiting === "" || this.#ending || this.#deadlineAt - now() < progressMs / 2) return
      if (waiting === printed && now() - printedAt < patienceMs) return
      printed = waiting
      printedAt = now()
      this.#print(this.#stillWaiting())
    }, progressMs).unref()
  }

  #notifySystemd(...messages: ReadonlyArray<string>): void {
    if (this.#options.systemd === true) notifyServiceManager(messages, (message) => this.#print(message))
  }

  #print(text: string): void {
    try {
      if (this.#options.print !== undefined) this.#options.print(text)
      else process.stderr.write(`${text}\n`)
    } catch {
      // The output is broken: the text cannot be printed anywhere.
    }
  }
}
