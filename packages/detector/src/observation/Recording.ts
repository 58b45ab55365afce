/**
 * Recordings: all observations of a run in one file, from which its report can be made again.
 *
 * **Details**
 *
 * Each line is one JSON object. The first line is the head, with the version of the format; a reader refuses a version that it does not
 * know. Then come the messages of the agents in order of arrival, a line that marks when the program was asked to end, and finally how
 * it ended. If the tool was killed, a recording may stop in the middle of its last line; it is read up to there.
 *
 * A recording is an untrusted file, so a schema checks each line, and the error for a malformed line names it. A recording is read line
 * by line, so it may be larger than the memory; {@link limits} bound the part that is kept.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { open } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import v8 from "node:v8"
import type { Hello, Message, Place } from "../agent/Protocol.ts"
import { oneSentence } from "../text/Untrusted.ts"
import * as Observation from "./Observation.ts"
import type { ProgramEnd } from "./ProgramEnd.ts"
import { RecordedMessage } from "./RecordedMessage.ts"

/**
 * The version of the format.
 *
 * @category constants
 */
export const recordingVersion = 1

/**
 * The limits of a recording; a larger one is refused. Recordings of real programs are far below each limit.
 *
 * **Details**
 *
 * - `line`: bytes of a line;
 * - `processes`: processes and threads;
 * - `sites`: fork sites of all processes;
 * - `stacks`, `frames`: allocation stacks of all processes, and the distinct frames on them;
 * - `words`: messages about copies of Effect, unsupported copies and problems;
 * - `kept`: bytes of lines whose content is kept, including the last tick of each process;
 * - `memory`: the share of node's heap limit that may be used.
 *
 * @category constants
 */
export const limits = {
  line: 64 * 1024 * 1024,
  processes: 2000,
  sites: 200_000,
  stacks: 400_000,
  frames: 500_000,
  words: 20_000,
  kept: 256 * 1024 * 1024,
  memory: 0.7
} as const

const Head = Schema.Struct({
  fiberscope: Schema.Literal("recording"),
  version: Schema.Literal(recordingVersion),
  command: Schema.Array(Schema.String)
})

const Said = Schema.Struct({ process: Schema.Int, says: RecordedMessage })

const Freeze = Schema.Struct({ freeze: Schema.Literal(true) })

const End = Schema.Struct({
  end: Schema.Struct({
    code: Schema.optionalKey(Schema.Int),
    signal: Schema.optionalKey(Schema.String),
    stoppedByTool: Schema.Boolean
  }),
  durationMs: Schema.Finite
})

/**
 * The file is not a recording, has another version, or has a malformed line.
 *
 * @category errors
 */
export class RecordingError extends Data.TaggedError("RecordingError")<{ readonly message: string }> {}

/**
 * Writes the lines of a recording.
 *
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
 * Makes a writer. `write` receives each line without its end of line.
 *
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
 * The content of a recording.
 *
 * @category models
 */
export interface Replay {
  readonly observations: ReadonlyArray<Observation.Observation>
  readonly end: ProgramEnd
  readonly durationMs: number
}

/**
 * Options of a replay.
 *
 * @category models
 */
export interface ReplayOptions {
  /** Translates a place to the sources. Default: the place as the process reported it. */
  readonly resolve?: ((place: Place) => Place) | undefined
  /** Called when a process introduces itself. */
  readonly met?: ((hello: Hello) => void) | undefined
  /** Called after each tick of a process, so that the state at that time can be judged. */
  readonly onTick?: ((observation: Observation.Observation) => void) | undefined
}

/**
 * Plays back a recording that is in memory. `file` is its name for errors.
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
 * @category constructors
 */
export const replay = (
  text: string,
  file: string,
  options?: ReplayOptions
): Effect.Effect<Replay, RecordingError> =>
  Effect.suspend(() => {
    const reader = makeReader(file, options)
    for (let start = 0; start <= text.length;) {
      const found = text.indexOf("\n", start)
      const end = found < 0 ? text.length : found
      const error = reader.take(text.slice(start, end), found < 0)
      if (error !== undefined) return Effect.fail(error)
      start = end + 1
    }
    return Effect.succeed(reader.replay())
  })

/**
 * Plays back a recording of any size from its file, line by line.
 *
 * @category constructors
 */
export const replayFile = (file: string, options?: ReplayOptions): Effect.Effect<Replay, RecordingError> =>
  Effect.acquireUseRelease(
    Effect.tryPromise({ try: () => open(file, "r"), catch: (error) => cannotRead(file, error) }),
    Effect.fnUntraced(function*(handle) {
      const reader = makeReader(file, options)
      const lines = makeLines()
      for (;;) {
        const chunk = yield* Effect.tryPromise({
          try: () => readChunk(handle),
          catch: (error) => cannotRead(file, error)
        })
        for (const line of lines.take(chunk)) {
          const error = reader.take(line, false)
          if (error !== undefined) return yield* error
        }
        if (lines.pending() > limits.line) return yield* reader.tooLong()
        if (isFull()) return yield* reader.tooMuch()
        if (chunk.length === 0) break
      }
      const error = reader.take(lines.rest(), true)
      if (error !== undefined) return yield* error
      return reader.replay()
    }),
    (handle) => Effect.promise(() => handle.close())
  )

const chunkBytes = 1024 * 1024

const isFull = (): boolean => {
  const { heap_size_limit: all, used_heap_size: used } = v8.getHeapStatistics()
  return used > limits.memory * all
}

/** The next bytes of a file; none at its end. */
const readChunk = async (handle: FileHandle): Promise<Buffer> => {
  const buffer = Buffer.allocUnsafe(chunkBytes)
  const { bytesRead } = await handle.read(buffer, 0, chunkBytes, null)
  return buffer.subarray(0, bytesRead)
}

const cannotRead = (file: string, error: unknown): RecordingError =>
  new RecordingError({ message: `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}` })

/** Cuts bytes into lines. A line that spans several chunks is joined once, at its end. */
const makeLines = () => {
  let parts: Array<Buffer> = []
  let bytes = 0
  const rest = (): string => {
    const line = Buffer.concat(parts).toString("utf8")
    parts = []
    bytes = 0
    return line
  }
  const add = (part: Buffer): void => {
    parts.push(part)
    bytes += part.length
  }
  return {
    pending: () => bytes,
    rest,
    take: function*(chunk: Buffer): Iterable<string> {
      let start = 0
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
        add(chunk.subarray(start, end))
        start = end + 1
        yield rest()
      }
      if (start < chunk.length) add(chunk.subarray(start))
    }
  }
}

const decodeHead = Schema.decodeUnknownOption(Head)
const decodeSaid = Schema.decodeUnknownResult(Said)
const decodeFreeze = Schema.decodeUnknownOption(Freeze)
const decodeEnd = Schema.decodeUnknownResult(End)

const broken = Symbol("broken JSON")

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return broken
  }
}

interface Reader {
  /** Takes in a line. The last line may be incomplete or empty. */
  readonly take: (line: string, last: boolean) => RecordingError | undefined
  readonly tooLong: () => RecordingError
  readonly tooMuch: () => RecordingError
  readonly replay: () => Replay
}

interface Process {
  readonly observation: Observation.Observation
  readonly frames: Set<string>
  tickBytes: number
}

const units = { stacks: "stacks", frames: "frames", words: "copies and problems", kept: "bytes to keep" } as const

const makeReader = (file: string, options: ReplayOptions | undefined): Reader => {
  const processes = new Map<number, Process>()
  let lineNumber = 0
  let command: ReadonlyArray<string> | undefined
  let end: Omit<ProgramEnd, "command"> = { code: undefined, signal: undefined, stoppedByTool: false }
  let durationMs = 0
  let frozen = false
  const has = { sites: 0, stacks: 0, frames: 0, words: 0, kept: 0 }

  const refuse = (why: string): RecordingError =>
    new RecordingError({ message: oneSentence(`${file}, line ${lineNumber}: ${why}`) })

  const takeHead = (value: unknown): RecordingError | undefined => {
    command = Option.getOrUndefined(decodeHead(value))?.command
    return command === undefined
      ? new RecordingError({
        message:
          `${file} is not a recording of version ${recordingVersion}: make one with fiberscope run --record run.ndjson -- …`
      })
      : undefined
  }

  const count = (process: Process, message: Message, bytes: number): void => {
    switch (message.type) {
      case "tick":
        has.kept += bytes - process.tickBytes
        process.tickBytes = bytes
        return
      case "samples":
      case "sampling":
      case "bye":
        return
      case "site":
        has.sites++
        break
      case "stack": {
        has.stacks++
        const before = process.frames.size
        for (const { column, file, line, name } of message.frames) {
          process.frames.add(`${name} ${file}:${line}:${column}`)
        }
        has.frames += process.frames.size - before
        break
      }
      case "copy":
      case "unsupported":
      case "problem":
        has.words++
    }
    has.kept += bytes
  }

  const takeMessage = (id: number, message: Message, bytes: number): RecordingError | undefined => {
    let process = processes.get(id)
    if (process === undefined) {
      if (processes.size >= limits.processes) return refuse(`more than ${limits.processes} processes`)
      processes.set(id, process = { observation: Observation.make(options), frames: new Set(), tickBytes: 0 })
    }
    const { observation } = process
    const sites = observation.sites.size
    count(process, message, bytes)
    for (const what of ["stacks", "frames", "words", "kept"] as const) {
      if (has[what] > limits[what]) return refuse(`too large: more than ${limits[what]} ${units[what]}`)
    }
    observation.take(message)
    // Fibers may be counted for a site before it is described.
    if (message.type !== "site") has.sites += observation.sites.size - sites
    if (has.sites > limits.sites) return refuse(`too large: more than ${limits.sites} sites`)
    if (message.type === "tick" && !frozen) options?.onTick?.(observation)
    return undefined
  }

  const takeValue = (value: unknown, bytes: number): RecordingError | undefined => {
    if (typeof value !== "object" || value === null) return refuse("expected an object")
    if ("says" in value) {
      const said = decodeSaid(value)
      return Result.isFailure(said)
        ? refuse(said.failure.message)
        : takeMessage(said.success.process, said.success.says as Message, bytes)
    }
    if ("end" in value) {
      const last = decodeEnd(value)
      if (Result.isFailure(last)) return refuse(last.failure.message)
      const { code, signal, stoppedByTool } = last.success.end
      end = { code, signal, stoppedByTool }
      durationMs = last.success.durationMs
      return undefined
    }
    if (Option.isNone(decodeFreeze(value))) {
      return refuse("expected a message of a process, or how the program ended")
    }
    frozen = true
    for (const { observation } of processes.values()) observation.freeze()
    return undefined
  }

  return {
    take: (line, last) => {
      lineNumber++
      if (line.length > limits.line) return refuse(`longer than ${limits.line} bytes`)
      if (lineNumber === 1) return takeHead(parse(line))
      const value = parse(line)
      if (value !== broken) return takeValue(value, line.length)
      // The last line may be incomplete, or empty after the last end of line.
      return last ? undefined : refuse("expected JSON")
    },
    tooLong: () => {
      lineNumber++
      return (lineNumber === 1 ? takeHead(broken) : undefined) ?? refuse(`longer than ${limits.line} bytes`)
    },
    tooMuch: () =>
      refuse(
        "too large for the memory of node; set NODE_OPTIONS=--max-old-space-size=16384 for more memory"
      ),
    replay: () => {
      const observations = [...processes.values()].map(({ observation }) => observation)
      return {
        observations,
        end: { command: command ?? [], ...end },
        durationMs: durationMs || Math.max(0, ...observations.map(({ window }) => window.end))
      }
    }
  }
}
