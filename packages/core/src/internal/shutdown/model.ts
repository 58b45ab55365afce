/** The models of a shutdown and of the end of a process. */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { FiberSite } from "../../FiberSite.ts"
import type { StuckFiber } from "../fibers/stuckFibers.ts"

/**
 * The reason why the service stops.
 *
 * @category models
 */
export type Reason =
  | { readonly _tag: "Signal"; readonly signal: NodeJS.Signals }
  | { readonly _tag: "Requested"; readonly reason: string }
  | { readonly _tag: "Fault"; readonly kind: string; readonly error: unknown }
  | { readonly _tag: "MainFailed" }

/**
 * The point in a shutdown at which a participant is stopped. `intake` accepts work: servers, consumers, schedules. `work` does
 * it: tasks, mailboxes, `holdOpen`. `flush` writes buffers: batches, telemetry. `resources` closes what all the others need. A number
 * sets a point between or beside them: they are 100, 200, 300 and 400.
 *
 * @category models
 */
export type Order = "intake" | "work" | "flush" | "resources" | number

/**
 * The result of a participant of a phase: it ended, failed, was interrupted because its time was over, or did not respond to
 * interruption and was abandoned. `site` is where it was registered.
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
 * A hold that still kept the service open at the end of the phase `work`.
 *
 * @category models
 */
export interface HeldOpen {
  readonly label: string
  readonly age: Duration.Duration
  readonly site: FiberSite
}

/**
 * The progress of a shutdown: participants are in the order in which they were started.
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
 * The lifecycle state of the service. `waitingFor` names the participants and holds that a shutdown is waiting for now.
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
 * The phase of a participant, and its time limit.
 *
 * @category models
 */
export interface PhaseOptions {
  /** Default `work`. */
  readonly order?: Order | undefined
  /** The maximum time. Default: the remaining time of the shutdown. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * The phases of a shutdown, and whether it has begun.
 *
 * @category services
 */
export interface ShutdownService {
  /**
   * Registers an effect that runs once when the service stops, in the context of the registration, unless the scope has closed
   * before. While it runs, `Deadline.remaining` is its remaining time. Its failure is reported, and stops no other participant.
   */
  readonly phase: <A, E, R>(
    name: string,
    effect: Effect.Effect<A, E, R>,
    options?: PhaseOptions
  ) => Effect.Effect<void, never, R | Scope.Scope>
  /** Holds a shutdown in its phase `work` until the scope closes. */
  readonly holdOpen: (label: string) => Effect.Effect<void, never, Scope.Scope>
  /** Requests a shutdown, as a signal does. Returns immediately. */
  readonly request: (reason: string) => Effect.Effect<void>
  /** Makes the service not ready while an effect runs: for the work that it must do before it can serve. */
  readonly startUp: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Whether load balancers should send work: false during start-up and shutdown. */
  readonly isReady: Effect.Effect<boolean>
  readonly state: Effect.Effect<ShutdownState>
  /** Waits until a shutdown is requested. */
  readonly awaitRequested: Effect.Effect<Reason>
  /** Waits until all phases are over. */
  readonly awaitDrained: Effect.Effect<ShutdownReport>
  /** The report of the shutdown so far. */
  readonly report: Effect.Effect<ShutdownReport>
}

/**
 * The limits of a shutdown.
 *
 * @category models
 */
export interface GracefulShutdownOptions {
  /** The maximum time of a whole shutdown. Default 25 seconds: Kubernetes kills after 30. */
  readonly deadline?: Duration.Input | undefined
  /**
   * The time for which the service continues to serve after the request, so that load balancers notice. Default 5 seconds in
   * Kubernetes (if `KUBERNETES_SERVICE_HOST` is set), otherwise 0. It is part of the deadline, and at most half of it.
   */
  readonly preStopDelay?: Duration.Input | undefined
  /**
   * The part of that delay in which the service stays ready. Default 0. Use it behind load balancers outside of the cluster,
   * which need time before Kubernetes may consider the last ready pod as terminating.
   */
  readonly readinessDelay?: Duration.Input | undefined
}

/**
 * How the process ended. `forced` is the reason why it did not wait any longer; `blockedAt` is the JavaScript stack of a blocked
 * event loop.
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
 * The options of a shutdown, and of the process around it.
 *
 * @category models
 */
export interface RunMainOptions extends GracefulShutdownOptions {
  /** The signals that request a shutdown. Default `SIGTERM`, `SIGINT` and `SIGHUP`. */
  readonly signals?: ReadonlyArray<NodeJS.Signals> | undefined
  /**
   * The exit code after a signal: 128 plus its number (default), 0 for a service manager that treats any other code as a failure,
   * or death by that signal, which makes a shell stop too. For process 1, which signals do not kill, `reraise` gives 128 plus the
   * number. If anything failed, the exit code is 1; a forced end never exits with 0.
   */
  readonly exitCode?: "signal" | "zero" | "reraise" | undefined
  /**
   * The effect of a second signal: it ends the process immediately (default), has no effect, or shortens the remaining time.
   * Signals within 300 ms of the first count as the same signal: terminals and package managers deliver it twice.
   */
  readonly secondSignal?: "force" | "ignore" | { readonly shortenTo: Duration.Input } | undefined
  /** Whether an uncaught exception or rejection stops the service in order (default) or is left to Node. */
  readonly faults?: "stop" | "ignore" | undefined
  /** The deadline of a shutdown after a fault. Default 5 seconds. */
  readonly faultDeadline?: Duration.Input | undefined
  /**
   * Starts a thread that ends the process shortly after the deadline even when the event loop is blocked, and reports where it is
   * blocked. Default false: it takes about 10 MB. The service is not ready before the thread is running.
   */
  readonly watchdog?: boolean | undefined
  /**
   * Notifies systemd, if it listens (`Type=notify` with `NotifyAccess=all`): when `launch` or `startUp` has completed and the
   * service is ready, when it stops, and how long it needs if that is longer than `TimeoutStopSec`. Default false: it runs
   * `systemd-notify`.
   */
  readonly systemd?: boolean | undefined
  /** Called with the report just before the process exits. It must return at once. */
  readonly onEnd?: ((report: EndReport) => void) | undefined
  /** Prints lines about the shutdown. Default: on stderr. */
  readonly print?: ((text: string) => void) | undefined
  /** Same as in `NodeRuntime.runMain`. */
  readonly disableErrorReporting?: boolean | undefined
  /** Same as in `NodeRuntime.runMain`: decides the exit code of a program that ends on its own. */
  readonly teardown?: Runtime.Teardown | undefined
}
