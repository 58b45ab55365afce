/** The conditions for a heap snapshot: something is under suspicion, the heap is small, and there is room for the file. */
import { statfsSync } from "node:fs"
import { isLeak } from "../Finding.ts"
import { size } from "../text/Units.ts"
import type { Diagnosis } from "./Diagnosis.ts"

/** Bytes of the largest heap by default: a snapshot of it takes 2 to 3 seconds, and half a gigabyte of memory. */
export const largestHeap = 64 * 2 ** 20

/** Something was found, or may have been found. */
export const isSuspicious = ({ findings, suspicions }: Diagnosis): boolean =>
  suspicions.length > 0 || findings.some(isLeak)

/** Why no snapshot of a heap of this size is taken, if there is a reason. `largest` is in bytes, and `how` says how a larger one is allowed. */
export const refusal = (heap: number, largest: number, how: string, folder: string): string | undefined => {
  if (heap > largest) return `the heap has ${size(heap)}, and snapshots are taken up to ${size(largest)}: ${how}`
  try {
    const { bavail, bsize } = statfsSync(folder)
    // The text of a snapshot is about as long as the heap.
    if (bavail * bsize < 4 * heap) return `there is no room for its file in ${folder}`
  } catch {
    // Some systems do not report it. Then writing the file shows it.
  }
  return undefined
}
