/** Tells a failure that nobody waits for. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ErrorReporter from "effect/ErrorReporter"
import * as Scheduler from "effect/Scheduler"

/**
 * Logs a cause and gives it to the error reporters. A program has no reporter unless it installs one, so the log is not optional.
 * What is only an interruption is no failure.
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
 * Logs, or reports, from where there is no fiber to do it. It is over when this returns, unless a logger waits for something: a
 * report that is parked half-way could come after the end of those who should hear it.
 */
export const sayNow = (context: Context.Context<never>, saying: Effect.Effect<unknown>): void => {
  Effect.runForkWith(Context.add(context, Scheduler.PreventSchedulerYield, true))(saying)
}
