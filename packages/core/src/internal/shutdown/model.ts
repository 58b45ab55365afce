/** The models of a shutdown and of the end of a process. */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { FiberSite } from "../../FiberSite.ts"
import type { StuckFiber } from "../fibers/stuckFibers.ts"

/**
 * Why the service stops.
 *
 * @category models
 */
export type Reason =
  | { readonly _tag: "Signal"; readonly signal: NodeJS.Signals }
  | { readonly _tag: "Requested"; readonly reason: string }
  | { readonly _tag: "Fault"; readonly kind: string; readonly error: unknown }
  | { readonly _tag: "MainFailed" }

/**
 * When in a shutdown something is stopped. `intake` takes work: servers, consumers, schedules. `work` does it: tasks, mailboxes,
 * beacons. `flush` writes down what is held: batches, telemetry. `resources` closes what all the others need. A number lies between
 * or beside them: they are 100, 200, 300 and 400.
 *
 * @category models
 */
export type Order = "intake" | "work" | "flush" | "resources" | number

/**
 * What came of a participant of a phase: it ended, failed, was interrupted because its time was over, or did not heed that either and
 * was left behind. `site` is where it was registered.
 *
 * @category models
 */
export interface ParticipantReport {
  readonly name: string
  readonly order: number
  readonly outcome: "running" | "ended" | "failed" | "timedOut" | "stuck"
  readonly elapsed: Duration.Duration
  readonly cause: Cause.Cause<unknown> | undefined
  readonly site: FiberSite
}

/**
 * What still held the service open when the work was to be over.
 *
 * @category models
 */
export interface HeldOpen {
  readonly label: string
  readonly age: Duration.Duration
  readonly site: FiberSite
}

/**
 * The course of a shutdown, as far as it has come: participants in the order in which they were started.
 *
 * @category models
 */
export interface ShutdownReport {
  readonly reason: Reason | undefined
  readonly elapsed: Duration.Duration
  readonly participants: ReadonlyArray<ParticipantReport>
  /** Participants of phases that have not begun. */
  readonly notStarted: ReadonlyArray<string>
  readonly held: ReadonlyArray<HeldOpen>
}

/**
 * Where the service is in its life. `waitingFor` names what a shutdown waits for at this moment.
 *
 * @category models
 */
export interface ShutdownState {
  readonly status: "starting" | "running" | "delaying" | "draining" | "drained"
  readonly isReady: boolean
  readonly reason: Reason | undefined
  readonly waitingFor: ReadonlyArray<string>
}

/**
 * When a phase runs, and for how long at most.
 *
 * @category models
 */
export interface PhaseOptions {
  /** Default `work`. */
  readonly order?: Order | undefined
  /** The most time that it gets. Default: what the clock allows. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * The phases of a shutdown, and whether it has begun.
 *
 * @category services
 */
export interface ShutdownService {
  /**
   * Has an effect run once when the service stops, in the context of whoever registers it, for as long as the scope is open. While it
   * runs, `Deadline.remaining` tells what time it has. Its failure is reported, and ends no one else.
   */
  readonly phase: <A, E, R>(
    name: string,
    effect: Effect.Effect<A, E, R>,
    options?: PhaseOptions
  ) => Effect.Effect<void, never, R | Scope.Scope>
  /** Holds a shutdown in its phase `work` until the scope closes. */
  readonly holdOpen: (label: string) => Effect.Effect<void, never, Scope.Scope>
  /** Asks for the end, as a signal does. Returns at once. */
  readonly request: (reason: string) => Effect.Effect<void>
  /** Has the service not be ready while an effect runs: for what it must do before it can serve. */
  readonly startUp: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Whether load balancers should send work: neither starting nor stopping. */
  readonly isReady: Effect.Effect<boolean>
  readonly state: Effect.Effect<ShutdownState>
  /** Waits until the end is asked for. */
  readonly awaitRequested: Effect.Effect<Reason>
  /** Waits until all phases are over. */
  readonly awaitDrained: Effect.Effect<ShutdownReport>
  /** What has happened so far. */
  readonly report: Effect.Effect<ShutdownReport>
}

/**
 * The limits of a shutdown.
 *
 * @category models
 */
export interface GracefulShutdownOptions {
  /** How long a shutdown takes at most, all in all. Default 25 seconds: Kubernetes kills after 30. */
  readonly deadline?: Duration.Input | undefined
  /**
   * How long the service goes on serving after the request, so that load balancers take notice. Default 5 seconds in Kubernetes (where
   * `KUBERNETES_SERVICE_HOST` is set), else 0. Part of the deadline, and half of it at most.
   */
  readonly preStopDelay?: Duration.Input | undefined
  /**
   * How much of that delay the service stays ready. Default 0. Use it behind load balancers outside of the cluster, which need time
   * before Kubernetes may take the last ready pod for a terminating one.
   */
  readonly readinessDelay?: Duration.Input | undefined
}

/**
 * How the process ended. `forced` says why it did not wait any longer; `blockedAt` is the JavaScript stack of a blocked event loop.
 *
 * @category models
 */
export interface EndReport extends ShutdownReport {
  readonly exitCode: number
  readonly forced: "deadline" | "secondSignal" | "secondFault" | "blocked" | undefined
  readonly stuck: ReadonlyArray<StuckFiber>
  readonly handles: ReadonlyArray<string>
  readonly blockedAt: string | undefined
}

/**
 * The options of a shutdown, and what a process does beyond it.
 *
 * @category models
 */
export interface RunMainOptions extends GracefulShutdownOptions {
  /** Default `SIGTERM`, `SIGINT` and `SIGHUP`. */
  readonly signals?: ReadonlyArray<NodeJS.Signals> | undefined
  /**
   * The exit code after a signal: 128 and its number (default), 0 where a service manager takes anything else for a failure, or the
   * death by that signal, which tells a shell to stop too. As process 1, whom signals do not kill, `reraise` gives 128 and the number.
   * Whatever failed on the way is 1, and an end that was forced is never 0.
   */
  readonly exitCode?: "signal" | "zero" | "reraise" | undefined
  /**
   * What one more signal does: it ends the process at once (default), nothing, or it leaves so much time. Signals within 300 ms of the
   * first are taken for the same one: terminals and package managers deliver it twice.
   */
  readonly secondSignal?: "force" | "ignore" | { readonly shortenTo: Duration.Input } | undefined
  /** Whether an uncaught exception or rejection stops the service in order (default) or is left to Node. */
  readonly faults?: "stop" | "ignore" | undefined
  /** The deadline of a shutdown after a fault. Default 5 seconds. */
  readonly faultDeadline?: Duration.Input | undefined
  /**
   * Starts a thread that ends the process shortly after the deadline even when the event loop is blocked, and says where it is. Default
   * false: it takes about 10 MB. The service is not ready before the thread is.
   */
  readonly watchdog?: boolean | undefined
  /**
   * Tells systemd, where it listens (`Type=notify` with `NotifyAccess=all`), that the service is ready, when its `launch` or `startUp` is
   * through; that it stops; and how long it needs, should that be longer than `TimeoutStopSec`. Default false: it runs
   * `systemd-notify`.
   */
  readonly systemd?: boolean | undefined
  /** Called with the report just before the process exits. It must return at once. */
  readonly onEnd?: ((report: EndReport) => void) | undefined
  /** Where lines about the shutdown go. Default stderr. */
  readonly print?: ((text: string) => void) | undefined
  /** As in `NodeRuntime.runMain`. */
  readonly disableErrorReporting?: boolean | undefined
  /** As in `NodeRuntime.runMain`: decides the exit code of a program that ends by itself. */
  readonly teardown?: Runtime.Teardown | undefined
}
