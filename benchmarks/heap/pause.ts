/** The pause of a program while V8 writes a snapshot of its heap. */
import { rmSync, statSync } from "node:fs"
import process from "node:process"
import { getHeapStatistics, writeHeapSnapshot } from "node:v8"
import { collectGarbage, cpuTime } from "../harness.ts"

/** MB and milliseconds. `memory` is the largest one of the process. */
export interface Pause {
  readonly heap: number
  readonly text: number
  /** By the clock, and of the processor: what the clock would show on a quiet machine. */
  readonly pause: number
  readonly cpu: number
  readonly memory: number
}

/** Objects as a service has them, until the heap has so many MB more, and a snapshot of it. */
export const pauseOf = async (file: string, size: number): Promise<Pause> => {
  const used = (): number => getHeapStatistics().used_heap_size / 1_000_000
  const sessions = new Map<string, unknown>()
  const empty = used()
  while (used() - empty < size) {
    for (let i = 0; i < 1000; i++) {
      const id = `session-${sessions.size}`
      sessions.set(id, {
        id,
        user: { name: `person ${sessions.size}`, roles: ["reader"] },
        close: () => sessions.delete(id)
      })
    }
  }
  await collectGarbage()
  const heap = used()
  const start = performance.now()
  const before = cpuTime()
  writeHeapSnapshot(file)
  const pause = performance.now() - start
  const cpu = cpuTime() - before
  const text = statSync(file).size / 1_000_000
  rmSync(file)
  if (sessions.size === 0) throw new Error("the heap was empty")
  return { heap, text, pause, cpu, memory: process.resourceUsage().maxRSS / 1024 }
}
