/** Renders the results of closing several things together, one line for each. */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import { rounded } from "./rounded.ts"

export interface Closed {
  readonly name: string
  readonly outcome: string
  readonly took: Duration.Duration
  /** The cause of the failure. */
  readonly cause: Cause.Cause<unknown> | undefined
  /** The place to look at if it did not end normally. */
  readonly where: string | undefined
}

export const renderClosed = (noun: string, elapsed: Duration.Duration, all: ReadonlyArray<Closed>): string => {
  const lines = all.map(({ cause, name, outcome, took, where }) => {
    const line = `  ${name}: ${outcome} after ${rounded(took)}`
    if (cause !== undefined) return `${line}: ${Cause.pretty(cause).split("\n")[0]}`
    return where === undefined ? line : `${line}${where}`
  })
  const many = `${all.length} ${noun}${all.length === 1 ? "" : "s"}`
  return [`${many} closed in ${rounded(elapsed)}`, ...lines].join("\n")
}
