/**
 * Starts V8's concurrent marking before a collection is forced.
 *
 * A forced collection drops all hidden classes (V8 calls them maps) that have no object at its start, and with them the optimized code
 * that depends on such a map. Compiling this code again costs a busy service ten times as much as the collection itself. When V8 has
 * already begun a collection, in steps and on other threads, it knows which constructors are alive, keeps their maps, and drops hardly
 * any code.
 *
 * V8 begins a collection when memory outside its heap grows suddenly. So this allocates address space, which is never touched, and
 * releases it at once. Then it waits while V8's threads work. The program is paused meanwhile, because V8 would finish the collection
 * as soon as the program continues.
 */
import { Buffer } from "node:buffer"
import { performance } from "node:perf_hooks"
import process from "node:process"
import v8 from "node:v8"

export interface Marking {
  /** Begins to mark, and waits at most `mostMs`. The caller forces the collection right after it. */
  readonly begin: (mostMs: number) => void
}

// Taken at load: the program may replace them.
const allocate = Buffer.allocUnsafeSlow
const { transfer } = ArrayBuffer.prototype as { readonly transfer?: (bytes: number) => unknown } // Node 20 has none
const sleep = Atomics.wait
const clock = performance.now.bind(performance)
const { cpuUsage, memoryUsage } = process
const { getHeapStatistics } = v8

/** Bytes to allocate. V8 begins when 64 MB more are outside the heap than after the last collection. */
const suddenBytes = 80 * 1024 * 1024

/** The largest usable share of the heap limit. From one half on, V8 would run a full collection at once; one third keeps a margin. */
const mostOfLimit = 1 / 3

const sliceMs = 2

/** The least share of a slice in which other threads work while they mark. */
const busyShare = 0.1

/** Idle slices after which working threads are considered done. */
const idleAfterWork = 3
/** Idle slices after which threads that have not worked are not expected to begin. */
const idleBeforeWork = 5

/** Attempts without any work after which no more are made: V8 has no other threads, or starts marking for other reasons. */
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
 * Waits, slice by slice, while other threads work, and answers whether they did any work. `slice` answers the milliseconds of
 * processor time that they took in one slice.
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
