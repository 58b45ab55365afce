/**
 * The leak detector as a layer of a program: scoped fibers sample the process, judge it, and report leaks.
 *
 * **When to use**
 *
 * Use it in a service that watches itself, also in production. To observe a program without changing it, use `fiberscope run`.
 *
 * **Details**
 *
 * It uses the same agent and the same rules as `fiberscope run`, inside the process. It remembers a sliding window, so memory and cost
 * do not grow while the service runs. The defaults are meant for production: an allocation sample every 512 KiB, and a reading, which is
 * a major garbage collection, at most every 30 seconds and for at most 0.5 % of the time.
 *
 * **Gotchas**
 *
 * Use one detector per process: a second one collects garbage twice as often. Fibers that started before the layer was built are not
 * seen.
 */
import * as Census from "@fiberscope/core/FiberCensus"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as PubSub from "effect/PubSub"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { firstInterval, startAgent } from "./agent/Agent.ts"
import type { Agent } from "./agent/Agent.ts"
import { outletTo } from "./agent/Outlet.ts"
import { protocolVersion } from "./agent/Protocol.ts"
import type { AgentOptions, Message } from "./agent/Protocol.ts"
import { mark } from "./diagnosis/Accepted.ts"
import type { Accepted } from "./diagnosis/Accepted.ts"
import { defaultRules, diagnose } from "./diagnosis/Diagnosis.ts"
import type { Diagnosis } from "./diagnosis/Diagnosis.ts"
import { FindingLog } from "./diagnosis/FindingLog.ts"
import type { FindingEvent } from "./diagnosis/FindingLog.ts"
import { watchHeap } from "./diagnosis/HeapWatch.ts"
import type { HeapSnapshotOptions } from "./diagnosis/HeapWatch.ts"
import type { Finding } from "./Finding.ts"
import type { LeakRule } from "./LeakRule.ts"
import * as Observation from "./observation/Observation.ts"
import { questions } from "./rules/evidence/inspections.ts"
import { oneSentence } from "./text/Untrusted.ts"

export type { FindingEvent } from "./diagnosis/FindingLog.ts"
export type { HeapSnapshotOptions } from "./diagnosis/HeapWatch.ts"

/**
 * Watches its own process and reports leaks.
 *
 * @category services
 */
export class LeakDetector extends Context.Service<LeakDetector, {
  /** Checks all rules now. */
  readonly diagnosis: Effect.Effect<Diagnosis>
  /** Confirmed findings that have not ended. */
  readonly findings: Effect.Effect<ReadonlyArray<Finding>>
  /** Events when a finding begins, has grown tenfold, and ends. A slow reader loses the oldest events. */
  readonly events: Stream.Stream<FindingEvent>
}>()("@fiberscope/detector/LeakDetector") {
  /**
   * Watches this process until the layer is released.
   *
   * **Example**
   *
   * ```ts
   * import { Effect } from "effect"
   * import { LeakDetector } from "@fiberscope/detector/LeakDetector"
   *
   * const program = Effect.gen(function*() {
   *   const detector = yield* LeakDetector
   *   const { because, verdict } = yield* detector.diagnosis
   *   console.log(verdict, because) // undecided: a fraction of a second is too short to call anything ok
   * })
   *
   * const Detector = LeakDetector.layer({
   *   onFinding: ({ _tag, finding }) => Effect.logWarning(`${_tag}: ${finding.summary}`)
   * })
   *
   * Effect.runFork(Effect.provide(program, Detector))
   * ```
   */
  static layer(options?: LeakDetectorOptions): Layer.Layer<LeakDetector> {
    return Layer.effect(LeakDetector, make(options))
  }
}

/**
 * Options of the layer.
 *
 * @category models
 */
export interface LeakDetectorOptions {
  /** The time between two samples of the signals. Default 1 second. */
  readonly interval?: Duration.Input | undefined
  /** The time between two judgements. A finding is confirmed when two in a row agree. Default 10 seconds. */
  readonly judgeEvery?: Duration.Input | undefined
  /** The time that is remembered. Default 30 minutes. */
  readonly window?: Duration.Input | undefined
  /**
   * Bytes between two allocation samples. 0 switches samples and readings off. `adaptive`, as in `fiberscope run`, takes about 2 000
   * samples per second, which finds much smaller leaks for about one percent of a core. Default 512 KiB, and up to 2 MiB while the
   * process uses more than half of a core.
   */
  readonly samplingBytes?: number | "adaptive" | undefined
  /** The least time between two readings. Default 30 seconds. */
  readonly readingEvery?: Duration.Input | undefined
  /**
   * Takes heap snapshots while something is under suspicion, so that findings say what keeps their objects. Default: none are taken, because
   * each stops the program. `{}` has the default limits.
   */
  readonly heapSnapshots?: HeapSnapshotOptions | undefined
  readonly rules?: ReadonlyArray<LeakRule> | undefined
  /** Known findings that are accepted until a given day. */
  readonly accepted?: Accepted | undefined
  /** Called when a finding begins, has grown tenfold, and ends. Its timeout is 10 seconds. A failure is logged, and it is not called again. */
  readonly onFinding?: ((event: FindingEvent) => Effect.Effect<void, unknown>) | undefined
  /** The source of the messages, for tests and recordings. Default: an agent in this process. */
  readonly source?: ((send: (message: Message) => void) => Pick<Agent, "tick" | "answer" | "stop">) | undefined
}

/**
 * Makes the detector in a scope.
 *
 * @category constructors
 */
export const make = (options?: LeakDetectorOptions): Effect.Effect<LeakDetector["Service"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const interval = Duration.fromInputUnsafe(options?.interval ?? "1 second")
    const judgeEvery = Duration.fromInputUnsafe(options?.judgeEvery ?? "10 seconds")
    const observation = Observation.make({
      windowMs: Duration.toMillis(Duration.fromInputUnsafe(options?.window ?? "30 minutes"))
    })
    const source = options?.source ?? (yield* ownAgent({
      intervalMs: Duration.toMillis(interval),
      // In a saturated process a sample costs several times as much, and one in 2 MiB is enough.
      ...options?.samplingBytes === undefined
        ? { sampling: "adaptive", leastSampling: 512 * 1024 }
        : { sampling: options.samplingBytes },
      readingMs: Duration.toMillis(Duration.fromInputUnsafe(options?.readingEvery ?? "30 seconds")),
      readingShare: 0.005,
      sites: "named"
    }))
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() => source(observation.take)),
      (running) => Effect.sync(running.stop)
    )
    // Messages that are added here use the clock of the source: the time of its last message.
    const now = () => observation.window.end
    const log = new FindingLog()
    const events = yield* PubSub.sliding<FindingEvent>(64)
    const onFinding = onceSwitchedOff("onFinding", options?.onFinding)
    const clock = yield* Clock.Clock
    const accepted = (findings: ReadonlyArray<Finding>) =>
      mark(options?.accepted ?? [], clock.currentTimeMillisUnsafe())(findings)
    let rules = options?.rules ?? defaultRules

    const ask = (): Diagnosis => {
      const diagnosis = diagnose(observation, { rules, accept: accepted })
      if (diagnosis.failed.length > 0) rules = rules.filter((rule) => !diagnosis.failed.includes(rule))
      return diagnosis
    }

    const judge = Effect.gen(function*() {
      questions(observation).forEach(agent.answer)
      const diagnosis = ask()
      for (const problem of diagnosis.problems) yield* Effect.logWarning(`LeakDetector switched off: ${problem}`)
      for (const event of log.take(diagnosis.findings)) {
        yield* PubSub.publish(events, event)
        yield* Effect.forkScoped(onFinding(event))
      }
    })

    yield* Effect.forkScoped(Effect.repeat(Effect.sync(agent.tick), Schedule.spaced(interval)))
    yield* Effect.forkScoped(
      Effect.repeat(Effect.delay(readMetrics(observation.take, now), judgeEvery), Schedule.forever)
    )
    yield* Effect.forkScoped(Effect.repeat(Effect.delay(judge, judgeEvery), Schedule.forever))
    if (options?.heapSnapshots !== undefined) {
      const detector = { observation, diagnose: ask, answer: agent.answer, take: observation.take }
      yield* Effect.forkScoped(watchHeap(detector, judgeEvery, options.heapSnapshots))
    }
    return {
      diagnosis: Effect.sync(ask),
      findings: Effect.sync(() => log.open),
      events: Stream.fromPubSub(events)
    }
  })

/** Reads the registry of this program's metrics. It takes 9 ms at 20 000 series, so it runs only as often as judgements. */
const readMetrics = (send: (message: Message) => void, now: () => number): Effect.Effect<void> =>
  Effect.context<never>().pipe(Effect.map((context) => {
    const gauges: Array<readonly [string, number]> = []
    const series = new Map<string, number>()
    for (const { attributes, id, state, type } of Metric.snapshotUnsafe(context)) {
      series.set(id, (series.get(id) ?? 0) + 1)
      if (type !== "Gauge" || !id.startsWith("fiberscope_")) continue
      const name = attributes === undefined
        ? undefined
        : Object.entries(attributes).map(([key, value]) => `${key}=${value}`).join()
      gauges.push([name === undefined || name === "" ? id : `${id}{${name}}`, Number(state.value)])
    }
    send({ type: "metrics", t: now(), gauges, series: [...series] })
  }))

/** The agent in this process, which counts the fibers of the copy of Effect that runs this. */
const ownAgent = (
  agentOptions: AgentOptions
): Effect.Effect<(send: (message: Message) => void) => Agent, never, Scope.Scope> =>
  Effect.gen(function*() {
    const census = Census.get()
    const epoch = yield* Clock.currentTimeMillis
    const release = yield* Effect.acquireRelease(
      Effect.withFiber((fiber) => Effect.succeed(census.adopt(Census.prototypeOf(fiber), "LeakDetector.layer"))),
      (stop) => Effect.sync(() => stop?.())
    )
    return (send) => {
      send({
        type: "hello",
        version: protocolVersion,
        pid: process.pid,
        ppid: process.ppid,
        thread: 0,
        argv: process.argv,
        cwd: process.cwd(),
        node: process.version,
        epoch: epoch - census.now(),
        intervalMs: agentOptions.intervalMs,
        samplingBytes: firstInterval(agentOptions)
      })
      if (release === undefined) {
        send({ type: "unsupported", t: census.now(), what: "the fibers of this version of effect cannot be observed" })
      } else send({ type: "copy", t: census.now(), where: "LeakDetector.layer" })
      census.flow() // begins the record of tenured fibers
      const guard = Census.makeGuard((probe, message) => send({ type: "problem", t: census.now(), probe, message }))
      return startAgent(census, agentOptions, outletTo(send), guard)
    }
  })

const onceSwitchedOff = (
  name: string,
  callback: ((event: FindingEvent) => Effect.Effect<void, unknown>) | undefined
): (event: FindingEvent) => Effect.Effect<void> => {
  let off = callback === undefined
  return (event) =>
    Effect.suspend(() => (off ? Effect.void : callback!(event))).pipe(
      Effect.timeout("10 seconds"),
      Effect.catchCause((cause) => {
        if (Cause.hasInterruptsOnly(cause)) return Effect.void
        const first = !off
        off = true
        // The text becomes one printable line, because the message of an error may come from a request.
        return first
          ? Effect.logWarning(oneSentence(`LeakDetector switched off: ${name} failed: ${Cause.pretty(cause)}`))
          : Effect.void
      })
    )
}
