/**
 * Memory that each repetition of a test retains: leaks that no list of fibers and listeners shows, such as a growing global map.
 *
 * V8's sampling heap profiler is set to sample every allocation. It keeps each live allocation with its stack and with an ordinal
 * that increases with time. A site retains memory of every run if most repetitions have survivors, early ones as well as late
 * ones. A buffer, a warm-up or a replaced value has survivors only of the first or of the last repetitions.
 */
import type { Session } from "node:inspector"
import { isProgram, original, prepare } from "../places.ts"
import { renderPlace } from "../suspendedAt.ts"
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

/** The number of repetitions that are not judged: code is compiled and caches are filled. */
const warmup = 3

/** The minimum number of repetitions. */
export const fewest = warmup + 6

/** The bytes between two samples: fewer than any object has, so that every allocation is sampled. */
const samplingInterval = 1

/** The length of the array used as a mark: V8 allocates other things for the function that makes it, but none of this size. */
const markLength = 97

/**
 * The number of collections: objects released by finalizers become garbage one turn and one collection later, and may have
 * finalizers themselves.
 */
const collections = 4

/** Test runners retain the values passed to their assertions until the test is over. */
const ofRunner = /[\\/]node_modules[\\/](?:@?vitest|chai)[\\/]/

/** The allocating frame, and the innermost frame of the program above it, which stands for allocations of libraries on its behalf. */
interface Site {
  readonly frame: Frame
  readonly by: Frame
}

/** The live allocations of a site. */
interface Survivors {
  readonly frame: Frame
  readonly repetitions: Set<number>
  bytes: number
}

/** Runs a test several times, and returns the sites that retain memory of most runs. */
export const repeated = async (times: number, run: () => Promise<void>): Promise<ReadonlyArray<Leak>> => {
  const { Session } = process.getBuiltinModule("node:inspector/promises")
  const session = unwatched(() => new Session())
  const marks = new Array<object>(times)
  session.connect()
  // Preparation allocates a lot, which must not be sampled.
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

/** An allocation that survives: its ordinal in the profile marks the end of a repetition. */
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
  // One group for each allocating function: V8's own data about many functions that become hot one after the other is not a leak.
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

/** The ordinals of the marks: of the objects of their size, including the header that V8 stores with an array. */
const endsOf = (made: Profile["samples"], times: number): ReadonlyArray<number> => {
  const elements = markLength * 8
  const ends = made.filter(({ size }) => size > elements && size < elements + 128).map(({ ordinal }) => ordinal)
  if (ends.length === times) return ends.toSorted((a, b) => a - b)
  throw new Error(
    "noLeaks cannot distinguish the repetitions of a test in the heap profile of this version of Node. Leave `repeat` out, or look "
      + "for a newer @fiberscope/core."
  )
}
