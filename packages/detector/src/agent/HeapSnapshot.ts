/**
 * A snapshot of the heap in a file, for the command line to read.
 *
 * V8 collects all garbage and then walks the heap while the program stands still: 35 milliseconds for each megabyte. Meanwhile it needs about
 * eight times the memory of the heap, so a snapshot is refused where that is not free.
 */
import { statSync } from "node:fs"
import { performance } from "node:perf_hooks"
import process from "node:process"
import v8 from "node:v8"
import { heapUsed } from "./GarbageCollections.ts"
import { keepObjectIds } from "./InspectorSession.ts"

/** Bytes that are needed for each byte of the heap, measured, and as many again to be safe. */
const memoryForByte = 16

// Taken at load: the program may replace it.
const clock = performance.now.bind(performance)

/**
 * Writes the snapshot, or answers why it does not. Objects keep their ids for the next one, until `releaseObjectIds` is called.
 */
export const takeHeapSnapshot = (file: string): { readonly pauseMs: number; readonly refused?: string } => {
  const needed = memoryForByte * heapUsed()
  const free = process.availableMemory()
  if (free < needed) {
    return { pauseMs: 0, refused: `it needs ${megabytes(needed)} MB of memory, and ${megabytes(free)} MB are free` }
  }
  keepObjectIds()
  const start = clock()
  // Without numbers a container shows no bound.
  v8.writeHeapSnapshot(file, { exposeNumericValues: true })
  const pauseMs = clock() - start
  return statSync(file).size > 0 ? { pauseMs } : { pauseMs, refused: "V8 wrote an empty file" }
}

const megabytes = (bytes: number): number => Math.round(bytes / 2 ** 20)
