/**
 * `fiberscope report`: makes the report of a run again, from its recording.
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Diagnosis from "../Diagnosis.ts"
import * as Recording from "../Recording.ts"
import * as Report from "../Report.ts"
import * as Sources from "../Sources.ts"
import * as Output from "./Output.ts"
import { readAccepted } from "./run.ts"
import { version } from "./version.ts"

/** Reads a recording and answers the exit code that its verdict has. */
export const report = (options: {
  readonly recording: string
  readonly format: Output.Format
  readonly accepted: Option.Option<string>
}) =>
  Effect.gen(function*() {
    const text = yield* Output.readText(options.recording)
    const accept = yield* readAccepted(options.accepted)
    const { durationMs, end, observations } = yield* Recording.replay(text, options.recording, {
      resolve: Sources.make()
    })
    const made = Report.make({
      processes: observations.map((observation) => ({
        observation,
        diagnosis: Diagnosis.diagnose(observation, { accept })
      })),
      end,
      durationMs,
      version
    })
    yield* Output.print(made, options.format)
    return made.verdict === "leak" ? 23 : 0
  })
