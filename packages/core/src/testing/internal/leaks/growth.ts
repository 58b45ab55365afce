/**
 * Memory that each repetition of a test leaves behind: what no list of fibers and listeners shows, such as a global map that grows.
 *
 * V8's sampling heap profiler keeps a sample of each allocation that is still alive, with its stack and with an ordinal that grows with
 * time. A site of which most repetitions have survivors, early ones as well as late ones, keeps something of every run. What fills
 * up, warms up or is replaced has survivors of the first repetitions only, or of the last.
 */
import type { Session } from "node:inspector"
import { isProgram, original } from "../places.ts"
import { renderPlace } from "../standing.ts"
import type { Leak } from "./Watch.ts"
import { unwatched } from "./Watch.ts"

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

/** Small enough to meet most objects of a few dozen bytes. */
const samplingInterval = 32

interface Survivors {
  readonly frame: Frame
  readonly repetitions: Set<number>
  bytes: number
}

/** Runs something several times, and answers with the sites that keep something of most runs. */
export const repeated = async (times: number, run: () => Promise<void>): Promise<ReadonlyArray<Leak>> => {
  const { Session } = process.getBuiltinModule("node:inspector/promises")
  const session = unwatched(() => new Session())
  session.connect()
  const ends: Array<number> = []
  try {
    await session.post("HeapProfiler.startSampling", { samplingInterval } as never)
    for (let i = 0; i < times; i++) {
      await run()
      ends.push(lastOrdinal(await profileOf(session as never)))
    }
    return judge(await profileOf(session as never), ends)
  } finally {
    await session.post("HeapProfiler.stopSampling").catch(() => {})
    session.disconnect()
  }
}

const profileOf = async (
  session: Session
): Promise<Profile> => ((await (session.post as unknown as (method: string) => Promise<{ profile: Profile }>).call(
  session,
  "HeapProfiler.getSamplingProfile"
)).profile)

const lastOrdinal = ({ samples }: Profile): number => samples.reduce((last, { ordinal }) => Math.max(last, ordinal), 0)

const judge = ({ head, samples }: Profile, ends: ReadonlyArray<number>): ReadonlyArray<Leak> => {
  const sites = new Map<number, Frame>()
  // The innermost frame of the program stands for what libraries allocate on its behalf.
  const walk = (node: Node, inherited: Frame | undefined): void => {
    const frame = isProgram(node.callFrame.url) ? node.callFrame : inherited
    if (frame !== undefined) sites.set(node.id, frame)
    for (const child of node.children) walk(child, frame)
  }
  walk(head, undefined)
  const survivors = new Map<string, Survivors>()
  for (const { nodeId, ordinal, size } of samples) {
    const frame = sites.get(nodeId)
    const repetition = ends.findIndex((end) => ordinal <= end)
    if (frame === undefined || repetition < warmup) continue
    const key = `${frame.url}:${frame.lineNumber}:${frame.columnNumber}`
    let entry = survivors.get(key)
    if (entry === undefined) survivors.set(key, entry = { frame, repetitions: new Set(), bytes: 0 })
    entry.repetitions.add(repetition)
    entry.bytes += size
  }
  const half = warmup + (ends.length - warmup) / 2
  return [...survivors.values()].flatMap(({ bytes, frame, repetitions }): ReadonlyArray<Leak> => {
    const all = [...repetitions]
    const early = all.filter((repetition) => repetition < half).length
    const enough = (half - warmup) / 2
    if (early < enough || all.length - early < enough) return []
    const at = original(frame.url, frame.lineNumber + 1, frame.columnNumber + 1)
    return [{
      kind: "memory",
      what: `kept of ${all.length} of ${ends.length - warmup} repetitions, ${Math.ceil(bytes / all.length)} bytes each`,
      at,
      site: [`allocated in ${frame.functionName || "a function"} (${renderPlace(at)})`]
    }]
  })
}
