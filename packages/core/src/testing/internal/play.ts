/** Plays the runs that an exploration requests, in slices between which the event loop gets its turn. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { supported } from "../../internal/census/effectVersions.ts"
import type { Explored, Step } from "./exploration.ts"
import type { Lab, Outcome } from "./Lab.ts"

/** The lab no longer sees all operations of this runtime, so its results would be meaningless. */
export class LabIsBlind extends Data.TaggedError("LabIsBlind")<{ readonly reason: string }> {
  override get message(): string {
    return `InterruptLab cannot see the operations of this version of effect: ${this.reason}. `
      + `It supports effect ${supported}; pin one of these, or look for a newer @fiberscope/core.`
  }
}

/** The progress of an exploration. */
export interface Progress {
  readonly runs: number
  readonly planned: number
  readonly failures: number
}

/** The time slice of an exploration, and the interval of its progress reports, in milliseconds. */
const sliceMillis = 20
const progressMillis = 200

export const play = <A>(
  lab: Lab,
  steps: Generator<Step, A, Outcome>,
  onProgress?: (progress: Progress) => Effect.Effect<void>
): Effect.Effect<A, LabIsBlind> => {
  let reportedAt = performance.now()
  let explored: Explored | undefined
  const go = (first: IteratorResult<Step, A>): Effect.Effect<A, LabIsBlind> => {
    const began = performance.now()
    let result = first
    while (result.done !== true) {
      explored = result.value.explored
      const outcome = lab.play(result.value.plan, result.value)
      if (outcome instanceof Promise) {
        return Effect.flatMap(Effect.promise(() => outcome), (outcome) => took(outcome))
      }
      if (outcome.stage.blind !== undefined) return Effect.fail(new LabIsBlind({ reason: outcome.stage.blind }))
      result = steps.next(outcome)
      if (performance.now() - began > sliceMillis) {
        const next = result
        return Effect.andThen(Effect.yieldNow, Effect.andThen(report(), Effect.suspend(() => go(next))))
      }
    }
    return Effect.succeed(result.value)
  }
  const took = (outcome: Outcome): Effect.Effect<A, LabIsBlind> =>
    outcome.stage.blind === undefined
      ? Effect.andThen(report(), Effect.suspend(() => go(steps.next(outcome))))
      : Effect.fail(new LabIsBlind({ reason: outcome.stage.blind }))
  const report = (): Effect.Effect<void> => {
    const now = performance.now()
    if (onProgress === undefined || explored === undefined || now - reportedAt < progressMillis) return Effect.void
    reportedAt = now
    return onProgress({ runs: explored.runs, planned: explored.planned, failures: explored.failures.length })
  }
  return Effect.suspend(() => go(steps.next()))
}
