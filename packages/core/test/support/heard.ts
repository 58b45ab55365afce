/** The output of a program: its log, its error reports and its metrics. */
import { Cause, Effect, ErrorReporter, Logger, Metric, References } from "effect"

export interface Heard {
  /** One line for each log entry, with the first line of its cause. */
  readonly lines: Array<string>
  readonly reports: Array<string>
}

/** Runs an effect and captures its output instead of printing it. */
export const heard = <A, E, R>(effect: (heard: Heard) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const said: Heard = { lines: [], reports: [] }
  const logger = Logger.make(({ cause, message }) => {
    said.lines.push(
      [message].flat().concat(cause.reasons.length === 0 ? [] : Cause.pretty(cause).split("\n")[0]).join(" ")
    )
  })
  const reporter = ErrorReporter.make(({ error }) => void said.reports.push(error.message))
  return Effect.suspend(() => effect(said)).pipe(
    Effect.provideService(References.CurrentLoggers, new Set([logger])),
    Effect.provideService(ErrorReporter.CurrentErrorReporters, new Set([reporter]))
  )
}

/** The value of a gauge or counter; undefined if there is none with that name. */
export const metric = (id: string, name = "default"): Effect.Effect<number | undefined> =>
  Effect.map(Metric.snapshot, (all) => {
    const found = all.find((one) => one.id === `fiberscope_${id}` && one.attributes?.["name"] === name)
    const state = found?.state as { readonly value?: number; readonly count?: number } | undefined
    return state?.value ?? state?.count
  })
