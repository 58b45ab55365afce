/**
 * Memory that each repetition of a test leaves behind: what no list of fibers and listeners shows, such as a global map that grows.
 *
 * V8's sampling heap profiler is told to sample everything. It keeps each allocation that is still alive, with its stack and with an
 * ordinal that grows with time. A site of which most repetitions have survivors, early ones as well as late ones, keeps something of
 * every run. What fills up, warms up or is replaced has survivors of the first repetitions only, or of the last.
 */
import type { Session } from "node:inspector"
import { isProgram, original, prepare } from "../places.ts"
import { renderPlace } from "../standing.ts"
import { collectGarbage } from "./garbage.ts"
import type { Leak } from "./Watch.ts"
import { unwatched } from "./Watch.ts"

// Taken at load: tests replace it.
const soon = setImmediate

interface Frame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
  readonly columnNumber: number
}

interface Node {
  readonly id: number
  readonly callFrame: Frame
  readonly children: ReadonlyArray<Node>
}

interface Profile {
  readonly head: Node
  readonly samples: ReadonlyArray<{ readonly size: number; readonly nodeId: number; readonly ordinal: number }>
}

/** Repetitions that are not judged: code is compiled and caches are filled. */
const warmup = 3

/** The fewest repetitions that can be judged. */
export const fewest = warmup + 6

/** Bytes between two samples: fewer than any object has, so that no allocation is left to chance. */
const samplingInterval = 1

/** Of the array that is a mark: V8 allocates this and that for the function that makes it, but nothing of that size. */
const markLength = 97

/** What finalizers let go of is garbage a turn and a collection later, and may have finalizers itself. */
const collections = 4

/** Test runners keep what they were asked to expect until the test is over. */
const ofRunner = /[\\/]node_modules[\\/](?:@?vitest|chai)[\\/]/

/** Who allocates, and the innermost frame of the program above, which stands for what libraries allocate on its behalf. */
interface Site {
  readonly frame: Frame
  readonly by: Frame
}

/** What is alive of what a site has allocated. */
interface Survivors {
  readonly frame: Frame
  readonly repetitions: Set<number>
  bytes: number
}

/** Runs something several times, and answers with the sites that keep something of most runs. */
export const repeated = async (times: number, run: () => Promise<void>): Promise<ReadonlyArray<Leak>> => {
  const { Session } = process.getBuiltinModule("node:inspector/promises")
  const session = unwatched(() => new Session())
  const marks = new Array<object>(times)
  session.connect()
  // It allocates much, which would all be sampled.
  prepare()
  try {
    await session.post("HeapProfiler.startSampling", { samplingInterval } as never)
    for (let i = 0; i < times; i++) {
      await run()
      markRepetition(marks, i)
    }
    for (let i = 0; i < collections; i++) {
      collectGarbage()
      await new Promise<void>((resolve) => {
        soon(resolve)
      })
    }
    return judge(await profileOf(session as never), marks.length)
  } finally {
    await session.post("HeapProfiler.stopSampling").catch(() => {})
    session.disconnect()
  }
}

/** An allocation that survives: its ordinal in the profile is where a repetition ends. */
function markRepetition(marks: Array<object>, repetition: number): void {
  marks[repetition] = new Array(markLength)
}

const profileOf = async (
  session: Session
): Promise<Profile> => ((await (session.post as unknown as (method: string) => Promise<{ profile: Profile }>).call(
  session,
  "HeapProfiler.getSamplingProfile"
)).profile)

const judge = ({ head, samples }: Profile, times: number): ReadonlyArray<Leak> => {
  const sites = new Map<number, Site>()
  const markers = new Set<number>()
  const walk = (node: Node, inherited: Frame | undefined): void => {
    const { callFrame: by, children, id } = node
    const frame = isProgram(by.url) ? by : ofRunner.test(by.url) ? undefined : inherited
    if (by.functionName === markRepetition.name) markers.add(id)
    else if (frame !== undefined) sites.set(id, { frame, by })
    for (const child of children) walk(child, frame)
  }
  walk(head, undefined)
  const ends = endsOf(samples.filter(({ nodeId }) => markers.has(nodeId)), times)
  // One for each function that allocates: what V8 itself keeps of many functions that become hot, one after the other, is no leak.
  const survivors = new Map<string, Survivors>()
  for (const { nodeId, ordinal, size } of samples) {
    const site = sites.get(nodeId)
    const repetition = ends.findIndex((end) => ordinal < end)
    if (site !== undefined && repetition >= warmup) {
      add(survivors, keyOf(site.frame, site.by), site.frame, [repetition], size)
    }
  }
  const half = warmup + (times - warmup) / 2
  const enough = (half - warmup) / 2
  const leaks = new Map<string, Survivors>()
  for (const { bytes, frame, repetitions } of survivors.values()) {
    const early = [...repetitions].filter((repetition) => repetition < half).length
    if (early >= enough && repetitions.size - early >= enough) add(leaks, keyOf(frame), frame, repetitions, bytes)
  }
  return [...leaks.values()].map(({ bytes, frame, repetitions: { size } }) => {
    const at = original(frame.url, frame.lineNumber + 1, frame.columnNumber + 1)
    return {
      kind: "memory",
      what: `kept of ${size} of ${times - warmup} repetitions, ${Math.ceil(bytes / size)} bytes each`,
      at,
      site: [`allocated in ${frame.functionName || "a function"} (${renderPlace(at)})`]
    }
  })
}

const keyOf = (...frames: ReadonlyArray<Frame>): string =>
  frames.map(({ columnNumber, functionName, lineNumber, url }) =>
    `${functionName} ${url}:${lineNumber}:${columnNumber}`
  ).join("\n")

const add = (
  to: Map<string, Survivors>,
  key: string,
  frame: Frame,
  repetitions: Iterable<number>,
  bytes: number
): void => {
  let entry = to.get(key)
  if (entry === undefined) to.set(key, entry = { frame, repetitions: new Set(), bytes: 0 })
  for (const repetition of repetitions) entry.repetitions.add(repetition)
  entry.bytes += bytes
}

/** The ordinals of the marks: of those objects of their size, with what V8 keeps of an array beside its elements. */
const endsOf = (made: Profile["samples"], times: number): ReadonlyArray<number> => {
  const elements = markLength * 8
  const ends = made.filter(({ size }) => size > elements && size < elements + 128).map(({ ordinal }) => ordinal)
  if (ends.length === times) return ends.toSorted((a, b) => a - b)
  throw new Error(
    "noLeaks cannot tell the repetitions of a test apart in the heap profile of this version of Node. Leave `repeat` out, or look "
      + "for a newer @fiberscope/core."
  )
}
