/**
 * Heap snapshots during a run: two or three snapshots while something is under suspicion, and their comparison at the end.
 *
 * A snapshot makes the program stand still, so none is taken of a healthy program, nor of a heap above the limit. The files can be read by
 * their owner only, lie in the folder of the run, and are removed as soon as they have been read.
 */
import * as Effect from "effect/Effect"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { diagnose } from "../diagnosis/Diagnosis.ts"
import { isSuspicious, largestHeap, refusal } from "../diagnosis/SnapshotLimits.ts"
import { compareSnapshots } from "../heap/compareSnapshots.ts"
import { pathBounds } from "../heap/effect/PathBounds.ts"
import type { Observation } from "../observation/Observation.ts"
import { number } from "../text/Units.ts"
import type { AgentServer, ObservedProcess } from "./AgentServer.ts"
import { complain } from "./Output.ts"

/** `auto`: only of a heap of at most {@link largestHeap}. */
export type Mode = "auto" | "always" | "never"

const limits = {
  /** Milliseconds of a run before the first snapshot: a program that starts grows. */
  first: 8000,
  /** The least time between two snapshots, in milliseconds. */
  apart: 5000,
  /** The time between two snapshots where a run has no end, in milliseconds. */
  apartWithoutEnd: 20_000,
  /** Snapshots in a run. The third shows whether growth goes on or comes to rest. */
  most: 3,
  /** Processes and threads of which snapshots are taken: those that were under suspicion first. */
  processes: 4,
  /** Milliseconds of a pause after which no snapshot is taken unasked any more, except when the program is about to be stopped. */
  pause: 3000,
  /** Milliseconds in which a program answers a request for a snapshot. */
  answer: 20_000
} as const

/** The time at which a snapshot is due, in milliseconds since the start of the run. `end` is Infinity where the run has no end. */
export const isDue = (taken: ReadonlyArray<number>, now: number, end: number): boolean => {
  const [first] = taken
  if (first === undefined) return now >= limits.first && end - now >= limits.apart
  // The last snapshot of a run with an end is taken at its end.
  if (taken.length >= (end === Infinity ? limits.most : limits.most - 1)) return false
  const due = end === Infinity ? taken.at(-1)! + limits.apartWithoutEnd : (first + end) / 2
  return now >= due && now - taken.at(-1)! >= limits.apart && end - now >= limits.apart
}

interface Series {
  readonly files: Array<string>
  readonly times: Array<number>
  /** The snapshot that was asked for and has not come. */
  open: { readonly file: string; readonly snapshots: Observation["heapSnapshots"] } | undefined
  over: boolean
  isSlow: boolean
}

export interface HeapSnapshots {
  /** Looks at all processes, and asks for the snapshots that are due. `now` and `end` are milliseconds since the start. */
  readonly look: (now: number, end: number) => void
  /** Takes the last snapshot of each process that has one. */
  readonly last: Effect.Effect<void>
  /** Compares the snapshots of each process, and adds what grew to its observation. */
  readonly compare: Effect.Effect<void>
}

/** Takes the snapshots of a run. */
export const make = (agents: AgentServer, mode: Mode, quiet: boolean): HeapSnapshots => {
  const all = new Map<ObservedProcess, Series>()
  let snapshots = 0

  /** Notices that the snapshot which was asked for has come, or was refused. */
  const settle = (process: ObservedProcess, series: Series): void => {
    const { open } = series
    if (open === undefined || process.observation.heapSnapshots === open.snapshots) return
    series.open = undefined
    const { taken } = process.observation.heapSnapshots
    if (taken.length > open.snapshots.taken.length) {
      series.files.push(open.file)
      series.times.push(taken.at(-1)!)
      const pause = process.observation.heapSnapshots.pausedMs - open.snapshots.pausedMs
      if (mode === "auto" && pause > limits.pause) series.isSlow = true
    } else series.over = true
  }

  const ask = (process: ObservedProcess, series: Series): void => {
    const { observation } = process
    const heap = observation.lastTick?.memory.heapUsed ?? 0
    const why = refusal(heap, mode === "always" ? Infinity : largestHeap, "--heap always takes them", agents.folder)
    if (why !== undefined) {
      series.over = true
      observation.take({ type: "heapSnapshot", t: observation.window.end, pauseMs: 0, refused: why })
      return
    }
    if (!quiet && series.files.length === 0) {
      complain("something may leak; two or three heap snapshots will show what keeps it")
      complain(`each pauses the program for about ${seconds(heap)} s; --heap never takes none`)
    }
    const file = join(agents.folder, `${snapshots++}.heapsnapshot`)
    series.open = { file, snapshots: observation.heapSnapshots }
    process.ask({ type: "takeHeapSnapshot", file })
  }

  /** One at a time: each needs a processor and much memory. */
  const isAnyOpen = (): boolean => [...all.values()].some(({ open }) => open !== undefined)

  const hasRoom = (series: Series): boolean =>
    series.files.length > 0 || [...all.values()].filter(({ files }) => files.length > 0).length < limits.processes

  const seriesOf = (process: ObservedProcess): Series => {
    let series = all.get(process)
    if (series === undefined) {
      all.set(process, series = { files: [], times: [], open: undefined, over: false, isSlow: false })
    }
    return series
  }

  return {
    look: (now, end) => {
      if (mode === "never") return
      for (const process of agents.processes()) {
        const series = seriesOf(process)
        settle(process, series)
        if (series.over || series.isSlow || !process.connected() || isAnyOpen()) continue
        if (isDue(series.times, now, end) && isSuspicious(diagnose(process.observation)) && hasRoom(series)) {
          ask(process, series)
        }
      }
    },
    last: Effect.suspend(() =>
      Effect.forEach(all, ([process, series]) => {
        settle(process, series)
        if (series.over || series.files.length === 0 || !process.connected()) return Effect.void
        if (series.open === undefined) ask(process, series)
        const isOpen = () => {
          settle(process, series)
          return series.open !== undefined && process.connected()
        }
        return Effect.sleep("20 millis").pipe(
          Effect.repeat({ times: limits.answer / 20, while: isOpen }),
          Effect.when(Effect.sync(isOpen))
        )
      }, { discard: true })
    ),
    compare: Effect.suspend(() =>
      Effect.forEach(all, ([{ observation }, { files, times }]) => {
        const remove = (file: string) => rmSync(file, { force: true })
        if (files.length < 2) return Effect.sync(() => files.forEach(remove))
        return compareSnapshots(files, { bounds: pathBounds, done: remove }).pipe(
          Effect.matchEffect({
            onSuccess: ({ bytes, paths }) =>
              Effect.sync(() => agents.add(observation, { type: "growth", t: times.at(-1)!, times, bytes, paths })),
            onFailure: ({ message }) =>
              Effect.sync(() =>
                observation.take({ type: "problem", t: times.at(-1)!, probe: "takeHeapSnapshot", message })
              )
          })
        )
      }, { discard: true })
    )
  }
}

/** V8 needs 32 to 45 milliseconds of processor time for each megabyte. */
const seconds = (heap: number): string => number(Math.max(0.1, heap / 2 ** 20 * 0.035))
