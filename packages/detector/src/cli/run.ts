/** `fiberscope run`: observes an unchanged program from its start to its end and reports leaks. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { environment } from "../agent/Protocol.ts"
import type { AgentOptions } from "../agent/Protocol.ts"
import * as Accepted from "../diagnosis/Accepted.ts"
import * as Diagnosis from "../diagnosis/Diagnosis.ts"
import * as Recording from "../observation/Recording.ts"
import * as Report from "../report/Report.ts"
import { questions } from "../rules/evidence/inspections.ts"
import { agentUrl } from "./AgentFiles.ts"
import type { AgentServer } from "./AgentServer.ts"
import * as Agents from "./AgentServer.ts"
import * as HeapSnapshots from "./HeapSnapshots.ts"
import * as LiveView from "./LiveView.ts"
import * as Output from "./Output.ts"
import * as ProcessTree from "./ProcessTree.ts"
import type { Program, ProgramExit } from "./Program.ts"
import * as Programs from "./Program.ts"
import { version } from "./version.ts"
import { whyUnseen } from "./WhyUnseen.ts"
import type { Runtime } from "./WhyUnseen.ts"

/** The options of `fiberscope run`. */
export interface RunOptions {
  readonly command: readonly [string, ...Array<string>]
  readonly duration: Option.Option<Duration.Duration>
  readonly json: Option.Option<string>
  readonly record: Option.Option<string>
  readonly gc: boolean
  readonly sampling: Option.Option<number>
  readonly strict: boolean
  readonly leakExitCode: number
  readonly quiet: boolean
  readonly format: Output.Format
  readonly sites: "named" | "all"
  readonly heap: HeapSnapshots.Mode
  /** The file of accepted findings. Default: `fiberscope.accepted.json` in the working folder, if it exists. */
  readonly accepted: Option.Option<string>
}

const intervalMs = 1000
const graceMs = 5000
const readingMs = 2000
const readingShare = 0.015

/** Runs the program to its end and answers the exit code. */
export const run = (options: RunOptions) =>
  Effect.scoped(Effect.gen(function*() {
    const recording = Recording.makeWriter(yield* Output.openLines(options.record))
    recording.head(options.command)
    yield* Option.match(options.json, { onNone: () => Effect.void, onSome: Output.checkWritable })
    const accept = yield* readAccepted(options.accepted)
    const agents = yield* Agents.make(recording)
    const started = yield* Clock.currentTimeMillis
    const program = yield* Programs.start(options.command, yield* agentEnvironment(agents, options), agents.freeze)
    const runtimes = yield* findRuntimes(program, agents)
    const snapshots = HeapSnapshots.make(agents, options.heap, options.quiet || options.format !== "pretty")
    const { exit, stoppedByTool } = yield* Effect.scoped(Effect.gen(function*() {
      yield* watch(agents, snapshots, started, options)
      return yield* untilEnd(program, agents, snapshots, options)
    }))
    yield* lastWords(agents)
    const durationMs = (yield* Clock.currentTimeMillis) - started
    yield* snapshots.compare
    const end: Report.ProgramEnd = {
      command: options.command,
      code: stoppedByTool ? undefined : exit.code,
      signal: exit.signal,
      stoppedByTool
    }
    recording.end(end, durationMs)
    const report = Report.make({
      processes: agents.processes().map(({ observation }) => ({
        observation,
        diagnosis: Diagnosis.diagnose(observation, { accept })
      })),
      end,
      durationMs,
      version,
      unseen: whyUnseen({ end, marks: agents.marks(), runtimes: runtimes() })
    })
    if (!options.quiet) yield* Output.print(report, options.format, agents.source)
    yield* Option.match(options.json, { onNone: () => Effect.void, onSome: (file) => Output.writeReport(file, report) })
    return exitCode(report, exit, program, stoppedByTool, options)
  }))

/** Looks for processes without the agent while no fiber has been seen. */
const findRuntimes = (
  program: Program,
  agents: AgentServer
): Effect.Effect<() => ReadonlyArray<Runtime>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const found = new Map<number, Runtime>()
    const look = Effect.sync(() => {
      if (isFound(agents)) return
      for (const runtime of ProcessTree.runtimes(program.pid)) found.set(runtime.pid, runtime)
    })
    yield* Effect.forkScoped(Effect.repeat(Effect.delay(look, "500 millis"), { until: () => isFound(agents) }))
    return () => [...found.values()]
  })

/** Inspects suspected fibers while the program runs, and shows the live view. */
const watch = (
  agents: AgentServer,
  snapshots: HeapSnapshots.HeapSnapshots,
  started: number,
  { duration, quiet }: RunOptions
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const look = () =>
      agents.processes().map(({ observation }) => ({ observation, diagnosis: Diagnosis.diagnose(observation) }))
    let seen = look()
    let found: number | undefined
    const began = (): number => {
      if (found === undefined && agents.processes().some(({ observation }) => observation.copies.length > 0)) {
        found = clock.currentTimeMillisUnsafe()
      }
      return found ?? started
    }
    const limitMs = Option.getOrUndefined(Option.map(duration, Duration.toMillis))
    yield* Effect.forkScoped(Effect.repeat(
      Effect.sync(() => {
        askAboutSuspects(agents)
        snapshots.look(clock.currentTimeMillisUnsafe() - began(), limitMs ?? Infinity)
        seen = look()
      }),
      Schedule.spaced("2 seconds")
    ))
    if (quiet) return
    yield* LiveView.show(() => ({
      elapsedMs: clock.currentTimeMillisUnsafe() - began(),
      limitMs,
      processes: seen
    }))
  })

const samples = ({ sampling }: RunOptions): boolean => Option.getOrElse(sampling, () => 1) !== 0

const agentEnvironment = (agents: AgentServer, options: RunOptions) =>
  Effect.map(agentUrl, (url) => {
    const agentOptions: AgentOptions = {
      intervalMs,
      sampling: Option.getOrElse(options.sampling, () => "adaptive" as const),
      readingMs: options.gc ? intervalMs : samples(options) ? readingMs : 0,
      readingShare: options.gc ? 0 : readingShare,
      sites: options.sites,
      marks: agents.marksFile
    }
    return {
      [environment.socket]: agents.path,
      [environment.options]: JSON.stringify(agentOptions),
      NODE_OPTIONS: [
        process.env["NODE_OPTIONS"] ?? "",
        ...mayRead(options.command, url),
        `--import=${JSON.stringify(url)}`
      ]
        .join(" ").trim()
    }
  })

/** Under the permission model, a program may only read allowed files. This allows the agent's own files. */
const mayRead = (command: ReadonlyArray<string>, url: string): ReadonlyArray<string> => {
  const given = [...command, process.env["NODE_OPTIONS"] ?? ""]
  if (!given.some((part) => /--(experimental-)?permission\b/.test(part))) return []
  return [`--allow-fs-read=${JSON.stringify(fileURLToPath(new URL("../*", url)))}`]
}

/** Waits for the first copy of Effect: the observation time begins there, so start-up does not count. */
const untilFound = (agents: AgentServer): Effect.Effect<void> =>
  Effect.sleep("20 millis").pipe(Effect.repeat({ until: () => isFound(agents) }), Effect.asVoid)

const isFound = (agents: AgentServer): boolean =>
  agents.processes().some(({ observation }) => observation.copies.length > 0)

/**
 * Waits for the end. When the time is over, the tool ends the program, which does not count as a failure. The time begins with the
 * first copy of Effect, or with the program if there is none.
 */
const untilEnd = (
  program: Program,
  agents: AgentServer,
  snapshots: HeapSnapshots.HeapSnapshots,
  options: RunOptions
): Effect.Effect<{ readonly exit: ProgramExit; readonly stoppedByTool: boolean }> =>
  Effect.gen(function*() {
    if (Option.isNone(options.duration)) return { exit: yield* program.exit, stoppedByTool: false }
    const time = options.duration.value
    const early = yield* Effect.raceFirst(
      Effect.asSome(program.exit),
      Effect.as(Effect.timeoutOption(untilFound(agents), time), Option.none())
    )
    const exit = Option.isSome(early) || !isFound(agents) ? early : yield* Effect.timeoutOption(program.exit, time)
    return Option.isSome(exit)
      ? { exit: exit.value, stoppedByTool: false }
      : { exit: yield* stop(program, agents, snapshots, options.gc || samples(options)), stoppedByTool: true }
  })

const stop = (
  program: Program,
  agents: AgentServer,
  snapshots: HeapSnapshots.HeapSnapshots,
  readings: boolean
): Effect.Effect<ProgramExit> =>
  Effect.gen(function*() {
    noteLost(agents)
    noteSilent(agents)
    if (readings) yield* lastReading(agents)
    yield* snapshots.last
    agents.freeze()
    const signalled = observedBy(agents)
    const others = ProcessTree.families([program.pid, ...signalled]).filter(({ pid }) => pid !== program.pid)
    program.kill("SIGTERM")
    for (const member of others) if (signalled.includes(member.pid)) ProcessTree.signal(member, "SIGTERM")
    const exit = yield* Effect.timeoutOption(program.exit, Duration.millis(graceMs))
    if (Option.isNone(exit)) program.kill("SIGKILL")
    const ended = yield* program.exit
    yield* endOthers(others, signalled)
    return ended
  })

/** Records a problem for each process that is alive without a connection: it was not observed to its end. */
const noteLost = (agents: AgentServer): void => {
  for (const { connected, observation } of agents.processes()) {
    const { ended, hello, window } = observation
    if (connected() || ended || hello === undefined || !ProcessTree.signal({ pid: hello.pid, born: "" }, 0)) continue
    const seconds = Math.round(window.end / 1000)
    observation.take({ type: "problem", t: window.end, probe: "connection", message: `lost after ${seconds} s` })
  }
}

/** An agent sends a message each second. So long without one means that the event loop is blocked, also on a busy machine. */
const silentFor = 5000

/** Records the processes whose event loop does not answer. */
const noteSilent = (agents: AgentServer): void => {
  for (const { connected, observation, silentMs } of agents.processes()) {
    if (!connected() || silentMs() < silentFor) continue
    agents.add(observation, { type: "silent", t: observation.window.end, ms: silentMs() })
  }
}

/** The processes whose agent is still connected. */
const observedBy = (agents: AgentServer): ReadonlyArray<number> =>
  agents.processes().flatMap(({ connected, observation: { hello } }) =>
    hello === undefined || !connected() ? [] : [hello.pid]
  )

/**
 * Ends the descendants of the program, which may not end with it: shells and watchers do not pass signals on. The `signalled` ones
 * already have SIGTERM and some time to end; the others get it now.
 */
const endOthers = (others: ReadonlyArray<ProcessTree.Member>, signalled: ReadonlyArray<number>): Effect.Effect<void> =>
  Effect.gen(function*() {
    const left = () => others.filter(ProcessTree.isThere)
    for (const member of left()) if (!signalled.includes(member.pid)) ProcessTree.signal(member, "SIGTERM")
    yield* Effect.sleep("50 millis").pipe(
      Effect.repeat({ times: graceMs / 50, while: () => left().length > 0 })
    )
    for (const member of left()) ProcessTree.signal(member, "SIGKILL")
  })

/** Asks for a last reading. The program is about to be stopped, so the pause does not matter, and this reading shows the most. */
const lastReading = (agents: AgentServer): Effect.Effect<void> =>
  Effect.suspend(() => {
    const asked = agents.processes().filter(({ connected }) => connected())
    const before = asked.map(({ observation }) => observation.readings)
    for (const { ask } of asked) ask({ type: "read" })
    return Effect.sleep("20 millis").pipe(
      Effect.repeat({
        times: 100,
        while: () => asked.some(({ connected, observation }, i) => connected() && observation.readings === before[i])
      }),
      Effect.asVoid
    )
  })

/** Waits for messages that the agents sent before the program ended. */
const lastWords = (agents: AgentServer): Effect.Effect<void> =>
  Effect.suspend(() =>
    agents.processes().some(({ connected }) => connected()) ? Effect.sleep("20 millis") : Effect.void
  ).pipe(
    Effect.repeat({ times: 10, while: () => agents.processes().some(({ connected }) => connected()) }),
    Effect.asVoid
  )

const askAboutSuspects = (agents: AgentServer): void => {
  for (const { ask, observation } of agents.processes()) {
    questions(observation).forEach(ask)
  }
}

/** The function that marks accepted findings, from the given file or the one in the working folder. */
export const readAccepted = (file: Option.Option<string>) =>
  Effect.gen(function*() {
    const path = Option.getOrElse(file, () => "fiberscope.accepted.json")
    if (Option.isNone(file) && !existsSync(path)) return Accepted.mark([], 0)
    const accepted = yield* Accepted.parse(yield* Output.readText(path), path)
    return Accepted.mark(accepted, yield* Clock.currentTimeMillis)
  })

const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15
}

const exitCode = (
  report: Report.Report,
  exit: ProgramExit,
  program: Program,
  stoppedByTool: boolean,
  options: RunOptions
): number => {
  if (!stoppedByTool && exit.code !== undefined && exit.code !== 0 && program.passedOn() === undefined) return exit.code
  if (!stoppedByTool && exit.signal !== undefined && program.passedOn() === undefined) {
    return 128 + (signalNumbers[exit.signal] ?? 0)
  }
  if (report.verdict === "leak") return options.leakExitCode
  if (report.verdict === "undecided" && options.strict) return 24
  const passed = program.passedOn()
  // A signal ended both. The exit code is the one that the program alone would have given.
  if (passed !== undefined) return exit.code ?? 128 + (signalNumbers[passed] ?? 0)
  return 0
}
