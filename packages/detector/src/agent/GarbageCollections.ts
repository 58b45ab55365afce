/**
 * Heap floors: the heap in use right after a major collection, the only heap number that means retention.
 *
 * `v8.GCProfiler` gives the heap before and after each collection that happens anyway. Natural major collections are rare (one in
 * 20 s at 100 requests/s that retain 1 KB each), so a floor may also be forced; a forced one says so.
 */
import v8 from "node:v8"
import vm from "node:vm"
import type { Floor } from "./Protocol.ts"

interface Collections {
  readonly floors: ReadonlyArray<Floor>
  readonly pauseMs: number
  readonly count: number
  /** Bytes that were allocated on the heap meanwhile. */
  readonly allocated: number
}

interface Statistic {
  readonly gcType: string
  readonly cost: number
  readonly beforeGC: { readonly heapStatistics: { readonly usedHeapSize: number } }
  readonly afterGC: { readonly heapStatistics: { readonly usedHeapSize: number } }
}

export interface GarbageCollections {
  /** What happened since the last call. */
  readonly drain: (now: number) => Collections
  readonly stop: () => void
}

/** Watches collections from now on. */
export const watchCollections = (): GarbageCollections => {
  const profiler = new v8.GCProfiler()
  profiler.start()
  let used = heapUsed()
  return {
    drain: (t) => {
      const { statistics } = (profiler.stop() as { statistics: ReadonlyArray<Statistic> } | undefined) ??
        { statistics: [] }
      profiler.start()
      let pauseMs = 0
      let allocated = 0
      const floors: Array<Floor> = []
      for (const { afterGC, beforeGC, cost, gcType } of statistics) {
        allocated += Math.max(0, beforeGC.heapStatistics.usedHeapSize - used)
        used = afterGC.heapStatistics.usedHeapSize
        pauseMs += cost / 1000 // microseconds
        // Their exact times are not told; the interval is.
        if (gcType.includes("MarkSweep") && !gcType.includes("Minor")) {
          floors.push({ t, bytes: afterGC.heapStatistics.usedHeapSize, forced: false })
        }
      }
      const now = heapUsed()
      allocated += Math.max(0, now - used)
      used = now
      return { floors, pauseMs, count: statistics.length, allocated }
    },
    stop: () => void profiler.stop()
  }
}

/** Makes the function that collects all garbage now; without it a heap floor would have to wait for V8's own. */
export const makeCollect = (): () => void => {
  v8.setFlagsFromString("--expose-gc")
  const gc = vm.runInNewContext("gc") as () => void
  v8.setFlagsFromString("--no-expose-gc")
  return gc
}

/** Heap in use now; right after a major collection that is a floor. */
export const heapUsed = (): number => v8.getHeapStatistics().used_heap_size
