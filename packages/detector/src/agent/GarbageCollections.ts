/**
 * Heap floors: the heap in use right after a major collection, which is the only heap number that shows retained memory.
 *
 * `v8.GCProfiler` gives the heap before and after each collection. V8's own major collections are rare (one in 20 s at 100 requests/s
 * that retain 1 KB each), so the agent may also force one. A forced floor is marked as such.
 */
import v8 from "node:v8"
import vm from "node:vm"
import type { Floor } from "./Protocol.ts"

interface Collections {
  readonly floors: ReadonlyArray<Floor>
  readonly pauseMs: number
  readonly count: number
  /** Bytes that were allocated on the heap in the same time. */
  readonly allocated: number
}

interface Statistic {
  readonly gcType: string
  readonly cost: number
  readonly beforeGC: { readonly heapStatistics: { readonly usedHeapSize: number } }
  readonly afterGC: { readonly heapStatistics: { readonly usedHeapSize: number } }
}

export interface GarbageCollections {
  /** The collections since the last call. */
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
        // V8 does not give the exact time of a collection, so the time of this call stands for it.
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

/** Makes the function that collects all garbage now. Without it a heap floor would have to wait for V8's own collection. */
export const makeCollect = (): () => void => {
  v8.setFlagsFromString("--expose-gc")
  const gc = vm.runInNewContext("gc") as () => void
  v8.setFlagsFromString("--no-expose-gc")
  return gc
}

/** Heap in use now. Right after a major collection it is a heap floor. */
export const heapUsed = (): number => v8.getHeapStatistics().used_heap_size
