/**
 * The fibers that each file of a test run started, and those that were alive at its end.
 *
 * A test file ends before a leak could show, so nothing here is reported as a leak. A fiber that outlives its test was forgotten by the
 * test, or by the tested program.
 */
import type { Tick } from "../agent/Protocol.ts"

/** One test file. `left` and `sites` are from the last tick, which is about 10 ms or less before its end. */
export interface TestFile {
  readonly file: string
  readonly started: number
  readonly left: number
  /** The fibers alive at the end, counted by the id of their fork site. */
  readonly sites: ReadonlyMap<number, number>
}

export interface TestFiles {
  readonly files: () => ReadonlyArray<TestFile>
  readonly take: (tick: Tick) => void
}

interface Counts {
  readonly started: number
  readonly live: number
  readonly sites: ReadonlyMap<number, number>
}

const none: Counts = { started: 0, live: 0, sites: new Map() }

/** The most files of one process, which may run the files of a whole project. */
const maxFiles = 1000

/** Makes the record of the test files of one process or thread. */
export const make = (): TestFiles => {
  const files = new Map<string, TestFile>()
  /** The counts before the file that runs now. */
  let before = none
  let last = none
  let current: string | undefined
  return {
    files: () => [...files.values()],
    take: ({ fibers, live, test }) => {
      if (test !== undefined && test !== current) {
        before = last
        current = test
      }
      last = { started: fibers.started, live: fibers.live, sites: new Map(live) }
      if (current === undefined || (files.size >= maxFiles && !files.has(current))) return
      files.set(current, {
        file: current,
        started: last.started - before.started,
        left: Math.max(0, last.live - before.live),
        sites: new Map(
          live.map(([site, count]) => [site, count - (before.sites.get(site) ?? 0)] as const)
            .filter(([, count]) => count > 0)
        )
      })
    }
  }
}
