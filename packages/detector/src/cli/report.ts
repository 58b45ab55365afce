/** `fiberscope report`: makes the report of a run again, from its recording. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Diagnosis from "../diagnosis/Diagnosis.ts"
import * as Recording from "../observation/Recording.ts"
import * as Sources from "../places/Sources.ts"
import * as Report from "../report/Report.ts"
import * as Output from "./Output.ts"
import { readAccepted } from "./run.ts"
import { version } from "./version.ts"

/** The options of `fiberscope report`. */
export interface ReportOptions {
  readonly recording: string
  readonly json: Option.Option<string>
  readonly strict: boolean
  readonly leakExitCode: number
  readonly quiet: boolean
  readonly format: Output.Format
  readonly accepted: Option.Option<string>
}

/** Reads a recording, prints its report, and answers the exit code for its verdict. */
export const report = (options: ReportOptions) =>
  Effect.gen(function*() {
    yield* Option.match(options.json, { onNone: () => Effect.void, onSome: Output.checkWritable })
    const accept = yield* readAccepted(options.accepted)
    const sources = Sources.make("recorded")
    const { durationMs, end, observations } = yield* Recording.replayFile(options.recording, sources)
    const made = Report.make({
      processes: observations.map((observation) => ({
        observation,
        diagnosis: Diagnosis.diagnose(observation, { accept })
      })),
      end,
      durationMs,
      version
    })
    if (!options.quiet) yield* Output.print(made, options.format, sources.read)
    yield* Option.match(options.json, { onNone: () => Effect.void, onSome: (file) => Output.writeReport(file, made) })
    return made.verdict === "leak" ? options.leakExitCode : made.verdict === "undecided" && options.strict ? 24 : 0
  })
