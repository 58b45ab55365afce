/**
 * Lets V8 mark what is alive before a collection is forced.
 *
 * A forced collection decides at its very beginning, before anything is marked, which hidden classes (V8 calls them maps) to keep that
 * have no object at the moment, and keeps none. The optimized code that knows such a map is thrown away with it. To compile it again
 * costs a busy service ten times as much as the collection itself. A collection that V8 began before, in steps and on other threads,
 * knows by then which constructors are alive, keeps their maps, and throws away hardly any code.
 *
 * V8 begins one when memory outside of its heap grows suddenly. So this allocates address space, which is never touched, and gives it
 * back at once. Then it waits for as long as V8's threads work, with the program standing still, because V8 would finish the collection
 * as soon as the program goes on.
 */
import { Buffer } from "node:buffer"
import { performance } from "node:perf_hooks"
import process from "node:process"
import v8 from "node:v8"

export interface Marking {
  /** Begins to mark, and waits for `mostMs` at the most. The collection is to be forced right after it. */
  readonly begin: (mostMs: number) => void
}

// Taken at load: the program may replace them.
const allocate = Buffer.allocUnsafeSlow
const { transfer } = ArrayBuffer.prototype as { readonly transfer?: (bytes: number) => unknown } // Node 20 has none
const sleep = Atomics.wait
const clock = performance.now.bind(performance)
const { cpuUsage, memoryUsage } = process
const { getHeapStatistics } = v8

/** V8 begins when there are 64 MB more outside of the heap than after the last collection. */
const suddenBytes = 80 * 1024 * 1024

/** The share of the heap limit from which on V8 would collect at once, and everything: half, of which some is left alone. */
const mostOfLimit = 1 / 3

const sliceMs = 2

/** The share of a slice in which other threads work, at the least, while they mark. */
const busyShare = 0.1

/** Slices without work after which the threads are done, and after which they will not begin. */
const idleAfterWork = 3
const idleBeforeWork = 5

/** Times without any work after which it is not tried any more: V8 has no other threads, or begins at something else. */
const mostInVain = 3

export const makeMarking = (): Marking => {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  let inVain = 0
  const slice = (): number => {
    const before = cpuMs()
    sleep(cell, 0, 0, sliceMs)
    return cpuMs() - before
  }
  return {
    begin: (mostMs) => {
      if (transfer === undefined || inVain >= mostInVain) return
      if (memoryUsage().external + suddenBytes > mostOfLimit * getHeapStatistics().heap_size_limit) {
        return
      }
      try {
        transfer.call(allocate(suddenBytes).buffer, 0)
      } catch {
        inVain++
        return
      }
      inVain = waitForWork(slice, clock, mostMs) ? 0 : inVain + 1
    }
  }
}

/**
 * Waits, slice by slice, for as long as other threads work, and answers whether they ever did. `slice` answers the milliseconds of
 * processor time that they took in it.
 */
export const waitForWork = (slice: () => number, now: () => number, mostMs: number): boolean => {
  const end = now() + mostMs
  let worked = false
  for (let idle = 0; idle < (worked ? idleAfterWork : idleBeforeWork) && now() + sliceMs <= end;) {
    const busy = slice() > busyShare * sliceMs
    worked ||= busy
    idle = busy ? 0 : idle + 1
  }
  return worked
}

const cpuMs = (): number => {
  const { system, user } = cpuUsage()
  return (user + system) / 1000
}
