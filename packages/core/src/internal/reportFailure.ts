/** Tells a failure that nobody waits for. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as ErrorReporter from "effect/ErrorReporter"

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
