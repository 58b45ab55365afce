/** The service of {@link "GracefulShutdown"}, and the handle on it that only `runMain` has. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { CurrentStackFrame } from "effect/References"
import type * as Scope from "effect/Scope"
import { instrument } from "../instruments.ts"
import type { Hold, Participant } from "./Drain.ts"
import { Drain, holdOrder, sequenceFrame } from "./Drain.ts"
import type { GracefulShutdownOptions, Order, Reason, ShutdownReport, ShutdownService } from "./model.ts"

/** The interface with which the process drives a shutdown. */
export interface ShutdownControl {
  readonly service: ShutdownService
  readonly drain: Drain
  /** The deadline in milliseconds. */
  readonly deadline: number
  /** Begins a shutdown, unless one has begun; `hurry` skips the delay. */
  readonly begin: (reason: Reason, how?: { readonly deadline?: number; readonly hurry?: boolean }) => void
}

const orders = { intake: 100, work: holdOrder, flush: 300, resources: 400 }

const orderOf = (order: Order | undefined): number => typeof order === "number" ? order : orders[order ?? "work"]

const defaultDelay = (): Duration.Input => process.env["KUBERNETES_SERVICE_HOST"] === undefined ? 0 : "5 seconds"

export const makeControl = (options?: GracefulShutdownOptions): Effect.Effect<ShutdownControl, never, Scope.Scope> =>
  Effect.gen(function*() {
    const allowance = {
      deadline: Duration.toMillis(options?.deadline ?? "25 seconds"),
      preStopDelay: Duration.toMillis(options?.preStopDelay ?? defaultDelay()),
      readinessDelay: Duration.toMillis(options?.readinessDelay ?? 0)
    }
    if (!(allowance.deadline > 0 && allowance.deadline < 2 ** 31)) {
      return yield* Effect.die(
        new RangeError(`The deadline of a shutdown must be finite: ${options?.deadline}`)
      )
    }
    const context = Context.add(yield* Effect.context<never>(), CurrentStackFrame, sequenceFrame)
    const drain = new Drain(yield* Clock.Clock)
    yield* instrument({
      module: "shutdown",
      name: "default",
      gauges: {
        participants: () => drain.participants.size,
        beacons: () => drain.holds.size,
        waiting: () => drain.waitingFor().length
      }
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => drain.giveUp()))

    const begin: ShutdownControl["begin"] = (reason, how) => {
      const preStopDelay = how?.hurry === true ? 0 : allowance.preStopDelay
      if (!drain.begin(reason, { ...allowance, preStopDelay, deadline: how?.deadline ?? allowance.deadline })) return
      drain.fiber = Effect.runForkWith(context)(drain.sequence)
    }
    return { service: serviceOf(drain, begin), drain, deadline: allowance.deadline, begin }
  })

const serviceOf = (drain: Drain, begin: ShutdownControl["begin"]): ShutdownService => ({
  phase: (name, effect, options) =>
    Effect.withFiber((fiber) => {
      const participant: Participant = {
        name,
        order: orderOf(options?.order),
        timeout: options?.timeout === undefined ? Infinity : Duration.toMillis(options.timeout),
        effect: effect as Effect.Effect<unknown, unknown>,
        context: fiber.context,
        capturedAt: fiber.cache
      }
      return Effect.asVoid(Effect.acquireRelease(
        Effect.sync(() => {
          drain.participants.add(participant)
          drain.wake()
        }),
        () => Effect.sync(() => drain.participants.delete(participant))
      ))
    }),
  holdOpen: (label) =>
    Effect.withFiber((fiber) => {
      const hold: Hold = { label, since: drain.now(), capturedAt: fiber.cache }
      return Effect.asVoid(Effect.acquireRelease(
        Effect.sync(() => drain.holds.add(hold)),
        () =>
          Effect.sync(() => {
            drain.holds.delete(hold)
            drain.wake()
          })
      ))
    }),
  request: (reason) => Effect.sync(() => begin({ _tag: "Requested", reason })),
  startUp: (effect) =>
    Effect.acquireUseRelease(
      Effect.sync(() => drain.startups++),
      () => effect,
      (_, exit) => Effect.sync(() => drain.endStartUp(Exit.isSuccess(exit)))
    ),
  isReady: Effect.sync(() => drain.isReady),
  state: Effect.sync(() => drain.state()),
  awaitRequested: awaiting((resume: (reason: Reason) => void) => drain.onBegun(resume)),
  awaitDrained: awaiting((resume: (report: ShutdownReport) => void) => drain.onDrained(resume)),
  report: Effect.sync(() => drain.report())
})

const awaiting = <A>(listen: (resume: (value: A) => void) => () => void): Effect.Effect<A> =>
  Effect.callback((resume) => {
    const stop = listen((value) => resume(Effect.succeed(value)))
    return Effect.sync(stop)
  })
