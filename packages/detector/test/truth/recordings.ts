/**
 * Recordings of the corpus: what the agent said of each program in 30 seconds, kept so that a change of the rules can be judged in seconds.
 * There are two sets: one without heap snapshots, on which the numbers of the statistic are defended, and one with them.
 *
 * A recording is kept with its places resolved (names and paths, relative to the workspace), so that neither sources nor source maps are
 * read when it is replayed. `pnpm run truth -- --again --keep <folder> --pack` makes the file from such recordings.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib"
import type { Message, Place } from "../../src/agent/Protocol.ts"
import * as Observation from "../../src/observation/Observation.ts"
import type { ProgramEnd } from "../../src/observation/ProgramEnd.ts"
import { resolveSteps } from "../../src/places/HeapPathPlaces.ts"
import * as Sources from "../../src/places/Sources.ts"

/** A set of recordings. */
export type RecordingSet = "recordings" | "snapshots"

const fileOf = (set: RecordingSet): URL => new URL(`${set}.ndjson.zst`, import.meta.url)

/** A line is the name of a program, or what one of its processes said, or how the program ended. */
type Line = { readonly program: string } | { readonly process: number; readonly says: Message } | {
  readonly end: Omit<ProgramEnd, "command">
  readonly durationMs: number
}

/** A program of the corpus as it was observed. */
export interface Recorded {
  readonly name: string
  readonly observations: ReadonlyArray<Observation.Observation>
  readonly end: ProgramEnd
  readonly durationMs: number
}

const linesOf = function*(bytes: Buffer): Iterable<string> {
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(10, start)
    const end = found < 0 ? bytes.length : found
    yield bytes.toString("utf8", start, end)
    start = end + 1
  }
}

/** All recordings, one after the other; `skip` leaves programs out. */
export const recorded = function*(
  skip: (name: string) => boolean = () => false,
  set: RecordingSet = "recordings"
): Iterable<Recorded> {
  let current:
    | { name: string; processes: Map<number, Observation.Observation>; end: ProgramEnd; durationMs: number }
    | undefined
  let skipped = false
  const finished = function*() {
    if (current !== undefined) {
      const { durationMs, end, name, processes } = current
      yield { name, observations: [...processes.values()], end, durationMs }
    }
  }
  for (const text of linesOf(zstdDecompressSync(readFileSync(fileOf(set))))) {
    if (text.startsWith("{\"program\"")) {
      yield* finished()
      const { program: name } = JSON.parse(text) as { program: string }
      skipped = skip(name)
      current = skipped ? undefined : {
        name,
        processes: new Map(),
        end: { command: [], code: undefined, signal: undefined, stoppedByTool: false },
        durationMs: 0
      }
    }
    if (current === undefined) continue
    const line = JSON.parse(text) as Line
    if ("end" in line) {
      current.end = { command: [], ...line.end }
      current.durationMs = line.durationMs
    } else if ("says" in line) {
      let observation = current.processes.get(line.process)
      if (observation === undefined) current.processes.set(line.process, observation = Observation.make())
      observation.take(line.says)
    }
  }
  yield* finished()
}

/** Writes the recordings of these programs, with snapshots; `root` is where the workspace was when they were recorded. */
export const pack = (
  recordings: ReadonlyArray<{ readonly name: string; readonly text: string }>,
  root: string
): void => {
  const parts: Array<string> = []
  for (const { name, text } of recordings) {
    const sources = Sources.make("running")
    sources.met({ cwd: root, argv: [] })
    const { resolve } = sources
    const place = (one: Place): Place => {
      const { column, file, line, name } = resolve(one)
      return { name, file: file?.replace(root, ""), line, column }
    }
    parts.push(JSON.stringify({ program: name }))
    for (const line of text.trim().split("\n").slice(1)) {
      const value = JSON.parse(line) as Line
      if ("says" in value) {
        parts.push(JSON.stringify({ process: value.process, says: resolved(value.says, place, root, sources) }))
      } else if ("end" in value) parts.push(line)
    }
  }
  const level = { params: { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_windowLog]: 27 } }
  writeFileSync(fileOf("snapshots"), zstdCompressSync(parts.join("\n"), level))
}

/** A message with all its places resolved, and without what belongs to the machine. */
const resolved = (
  message: Message,
  place: (one: Place) => Place,
  root: string,
  { declaration, resolve }: Sources.Sources
): Message => {
  switch (message.type) {
    case "hello":
      return {
        ...message,
        argv: message.argv.map((text) => text.replace(root, "")),
        cwd: message.cwd.replace(root, "/")
      }
    case "copy":
      return { ...message, where: message.where.replace(root, "") }
    case "site":
      return {
        ...message,
        ...(message.fork === undefined ? {} : { fork: place(message.fork) }),
        ...(message.runs === undefined ? {} : { runs: place(message.runs) }),
        chain: message.chain.map(place)
      }
    case "stack":
      return { ...message, frames: message.frames.map(place) }
    case "waiting":
      return { ...message, places: message.places.map((one) => ({ ...one, place: place(one.place) })) }
    case "growth": {
      const relative = (one: Place | undefined) =>
        one?.file === undefined ? one : { ...one, file: one.file.replace(root, "") }
      return {
        ...message,
        paths: message.paths.map((path) => ({
          ...path,
          steps: resolveSteps(path.steps, { resolve, declaration }).map((step) => ({
            ...step,
            place: relative(step.place)
          }))
        }))
      }
    }
    default:
      return message
  }
}
