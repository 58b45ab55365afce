/** Heap snapshots inside a program: three while something is under suspicion, and their comparison as part of the observation. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import type { Message, Request } from "../agent/Protocol.ts"
import type { Observation } from "../observation/Observation.ts"
import { limits } from "../statistics/limits.ts"
import { oneSentence } from "../text/Untrusted.ts"
import { compareInWorker } from "./compareInWorker.ts"
import type { Diagnosis } from "./Diagnosis.ts"
import { isSuspicious, largestHeap, refusal } from "./SnapshotLimits.ts"

/**
 * Heap snapshots in a program that watches itself.
 *
 * **Details**
 *
 * Three snapshots are taken while something is under suspicion. Each stops the program for about 35 ms for each megabyte of its heap, and
 * needs eight times the heap in memory meanwhile; without that, or without room on the disk, none is taken. They are compared in a worker
 * thread. The files can be read by their owner only, and are removed.
 *
 * @category models
 */
export interface HeapSnapshotOptions {
  /** Bytes of the largest heap of which a snapshot is taken. Default 64 MB. */
  readonly largestHeap?: number | undefined
  /** The time between two of the three snapshots. Default 1 minute. */
  readonly apart?: Duration.Input | undefined
  /** The least time before the next three. Default 1 hour. */
  readonly every?: Duration.Input | undefined
}

/** The part of a detector that is needed. `take` adds a message to the observation. */
interface Detector {
  readonly observation: Observation
  readonly diagnose: () => Diagnosis
  readonly answer: (request: Request) => void
  readonly take: (message: Message) => void
}

/** Watches until it is interrupted. `judgeEvery` is the time between two looks at the diagnosis. */
export const watchHeap = (
  detector: Detector,
  judgeEvery: Duration.Duration,
  options: HeapSnapshotOptions
): Effect.Effect<number> => {
  const every = options.every ?? "1 hour"
  const look: Effect.Effect<void> = Effect.suspend(() =>
    isSuspicious(detector.diagnose())
      ? Effect.andThen(explain(detector, options), Effect.sleep(every))
      : Effect.void
  )
  return Effect.repeat(Effect.delay(look, judgeEvery), Schedule.forever)
}

/** Takes the snapshots and compares them. A failure is logged. */
const explain = (detector: Detector, options: HeapSnapshotOptions): Effect.Effect<void> =>
  Effect.scoped(Effect.gen(function*() {
    const folder = yield* temporaryFolder
    const files: Array<string> = []
    const times: Array<number> = []
    for (let i = 0; i < limits.snapshots; i++) {
      if (i > 0) yield* Effect.sleep(options.apart ?? "1 minute")
      const file = join(folder, `${i}.heapsnapshot`)
      const refused = takeSnapshot(detector, options, { file, folder, last: i === limits.snapshots - 1 })
      if (refused !== undefined) return yield* Effect.logInfo(oneSentence(`LeakDetector: no heap snapshot: ${refused}`))
      files.push(file)
      times.push(detector.observation.window.end)
    }
    const { bytes, paths } = yield* compareInWorker(files)
    detector.take({ type: "growth", t: times.at(-1)!, times, bytes, paths })
  })).pipe(Effect.catch(({ message }) => Effect.logWarning(oneSentence(`LeakDetector: ${message}`))))

/** Answers why there is no snapshot, if there is none. */
const takeSnapshot = (
  { answer, observation }: Detector,
  options: HeapSnapshotOptions,
  { file, folder, last }: { readonly file: string; readonly folder: string; readonly last: boolean }
): string | undefined => {
  const heap = observation.lastTick?.memory.heapUsed ?? 0
  const how = "`largestHeap` of heapSnapshots allows more"
  const why = refusal(heap, options.largestHeap ?? largestHeap, how, folder)
  if (why !== undefined) return why
  const before = observation.heapSnapshots
  answer({ type: "takeHeapSnapshot", file, last })
  const { refused, taken } = observation.heapSnapshots
  return taken.length > before.taken.length ? undefined : refused.at(-1) ?? "the agent did not take it"
}

/** A folder that only its owner can read. It is removed with the scope, and when the process exits before. */
const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "fiberscope-heap-"))
      const remove = (): void => rmSync(folder, { recursive: true, force: true })
      process.on("exit", remove)
      return { folder, remove }
    }),
    ({ remove }) =>
      Effect.sync(() => {
        process.off("exit", remove)
        remove()
      })
  ),
  ({ folder }) => folder
)
