/**
 * Everything a run saw, in one file, from which its report can be made again.
 *
 * **Details**
 *
 * One JSON object on each line. The first line is the head, with the version of the format; a reader refuses a version it does not
 * know. Then what the agents of the processes said, in the order in which it came; a line that says that the program was asked to end;
 * and last how it ended. A recording that stops in the middle, because the tool was killed, can be read as far as it goes.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Message, Place } from "./agent/Protocol.ts"
import * as Observation from "./Observation.ts"
import type { ProgramEnd } from "./Report.ts"

/**
 * The version of the format.
 *
 * @since 0.1.0
 * @category constants
 */
export const recordingVersion = 1

const Head = Schema.Struct({
  fiberscope: Schema.Literal("recording"),
  version: Schema.Literal(recordingVersion),
  command: Schema.Array(Schema.String)
})

const Said = Schema.Struct({
  process: Schema.Int,
  says: Schema.Record(Schema.String, Schema.Unknown)
})

const End = Schema.Struct({
  end: Schema.Struct({
    code: Schema.optionalKey(Schema.Int),
    signal: Schema.optionalKey(Schema.String),
    stoppedByTool: Schema.Boolean
  }),
  durationMs: Schema.Finite
})

/**
 * Not a recording, or one of another version.
 *
 * @since 0.1.0
 * @category errors
 */
export class RecordingError extends Data.TaggedError("RecordingError")<{ readonly message: string }> {}

/**
 * Writes the lines of a recording; `write` gets each without its end of line.
 *
 * @since 0.1.0
 * @category models
 */
export interface Writer {
  readonly head: (command: ReadonlyArray<string>) => void
  /** `line` is a message as the agent wrote it. */
  readonly said: (process: number, line: string) => void
  readonly freeze: () => void
  readonly end: (end: ProgramEnd, durationMs: number) => void
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const makeWriter = (write: (line: string) => void): Writer => ({
  head: (command) => write(JSON.stringify({ fiberscope: "recording", version: recordingVersion, command })),
  said: (process, line) => write(`{"process":${process},"says":${line}}`),
  freeze: () => write("{\"freeze\":true}"),
  end: ({ code, signal, stoppedByTool }, durationMs) =>
    write(JSON.stringify({ end: { code, signal, stoppedByTool }, durationMs }))
})

/**
 * What a recording tells.
 *
 * @since 0.1.0
 * @category models
 */
export interface Replay {
  readonly observations: ReadonlyArray<Observation.Observation>
  readonly end: ProgramEnd
  readonly durationMs: number
}

const decodeHead = Schema.decodeUnknownOption(Schema.fromJsonString(Head))
const decodeSaid = Schema.decodeUnknownOption(Said)
const decodeEnd = Schema.decodeUnknownOption(End)

/**
 * Plays a recording back. `file` is its name, for the error; `onTick` is called whenever another interval of
 * a process was taken in, so that it can be asked what would have been said at that moment.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as Recording from "@fiberscope/detector/Recording"
 *
 * const lines: Array<string> = []
 * const writer = Recording.makeWriter((line) => lines.push(line))
 * writer.head(["node", "app.mjs"])
 * writer.said(0, JSON.stringify({ type: "copy", t: 0, where: "effect" }))
 *
 * const { observations } = Effect.runSync(Recording.replay(lines.join("\n"), "app.ndjson"))
 * console.log(observations.length) // 1
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const replay = (
  text: string,
  file: string,
  options?: {
    readonly resolve?: ((place: Place) => Place) | undefined
    readonly onTick?: ((observation: Observation.Observation) => void) | undefined
  }
): Effect.Effect<Replay, RecordingError> =>
  Effect.gen(function*() {
    const [first = "", ...lines] = text.split("\n")
    const head = Option.getOrUndefined(decodeHead(first))
    if (head === undefined) {
      return yield* new RecordingError({
        message:
          `${file} is not a recording of version ${recordingVersion}: make one with fiberscope run --record run.ndjson -- …`
      })
    }
    const observations = new Map<number, Observation.Observation>()
    let end: ProgramEnd = { command: head.command, code: undefined, signal: undefined, stoppedByTool: false }
    let durationMs = 0
    let frozen = false
    for (const line of lines) {
      const value = parse(line)
      const said = Option.getOrUndefined(decodeSaid(value))
      if (said !== undefined) {
        let observation = observations.get(said.process)
        if (observation === undefined) observations.set(said.process, observation = Observation.make(options))
        // Agents of one version speak one protocol; what they say was checked by its type when it was said.
        const message = said.says as unknown as Message
        observation.take(message)
        if (message.type === "tick" && !frozen) options?.onTick?.(observation)
        continue
      }
      if (typeof value === "object" && value !== null && "freeze" in value) {
        frozen = true
        for (const observation of observations.values()) observation.freeze()
      }
      const last = Option.getOrUndefined(decodeEnd(value))
      if (last !== undefined) {
        end = {
          command: head.command,
          code: last.end.code,
          signal: last.end.signal,
          stoppedByTool: last.end.stoppedByTool
        }
        durationMs = last.durationMs
      }
    }
    const seen = [...observations.values()]
    return { observations: seen, end, durationMs: durationMs || Math.max(0, ...seen.map(({ window }) => window.end)) }
  })

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined // the half line at which a recording stopped
  }
}
