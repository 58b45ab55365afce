/** Reports failures that no fiber waits for. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ErrorReporter from "effect/ErrorReporter"
import * as Scheduler from "effect/Scheduler"

/**
 * Logs a cause and gives it to the error reporters. A program has no reporter unless it installs one, so the log is not optional.
 * A cause with only interruptions is not a failure.
 */
export const reportFailure = (
  cause: Cause.Cause<unknown>,
  label: string,
  annotations?: Readonly<Record<string, unknown>>
): Effect.Effect<void> =>
  Cause.hasInterruptsOnly(cause)
    ? Effect.void
    : Effect.andThen(
      ErrorReporter.report(cause),
      Effect.annotateLogs(Effect.logError(`"${label}" failed`, cause), { ...annotations })
    )

/**
 * Runs a log or report effect where there is no fiber to run it. It is complete when this returns, unless a logger waits for
 * something: a report that is parked half-way could come after the loggers and reporters have ended.
 */
export const runDetached = (context: Context.Context<never>, effect: Effect.Effect<unknown>): void => {
  Effect.runForkWith(Context.add(context, Scheduler.PreventSchedulerYield, true))(effect)
}
