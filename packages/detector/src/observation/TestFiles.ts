/**
 * What the files of a test run left behind: the fibers that each started, and those that were alive when it ended.
 *
 * A file of tests is over in less time than any leak needs to show. So nothing here is called a leak: a fiber that outlives its test
 * is one that the test forgot, or that its program forgets.
 */
import type { Tick } from "../agent/Protocol.ts"

/** One file of tests. `left` and `sites` are those of the last look, which is at most some ten milliseconds before its end. */
export interface TestFile {
  readonly file: string
  readonly started: number
  readonly left: number
  /** Of the fibers that were left, how many each site has forked, by its id. */
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

/** One process may run the files of a whole project. */
const maxFiles = 1000

/** Makes the record of the test files of one process or thread. */
export const make = (): TestFiles => {
  const files = new Map<string, TestFile>()
  /** What was there before the file that runs now. */
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
