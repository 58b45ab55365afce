/** The part of a report about a test run, bounded. The files with the most fibers alive at their end are first. */
import { describeSite } from "../places/Site.ts"
import { number } from "../text/Units.ts"
import type { Report } from "./Report.ts"

const mostFiles = 10
const mostSites = 3

/** The lines about the files of a test run; none without tests. `locate` shortens the path of a file. */
export const testLines = (
  { tests = [] }: Report,
  locate: (file: string) => string = (file) => file
): ReadonlyArray<string> => {
  if (tests.length === 0) return []
  const started = tests.reduce((sum, file) => sum + file.started, 0)
  const left = tests.filter((file) => file.left > 0)
  return [
    `tests   ${count(tests.length, "file")}, ${number(started)} fibers started, ${
      count(left.length, "file")
    } ended with live fibers`,
    ...left.slice(0, mostFiles).flatMap(({ file, left, sites, started }) => [
      `${number(left).padStart(6)} of ${number(started)} fibers alive after ${locate(file)}`,
      ...sites.slice(0, mostSites).map(({ count, site }) => `${number(count).padStart(9)}  ${describeSite(site)}`),
      ...rest(sites.length, mostSites, "site")
    ]),
    ...rest(left.length, mostFiles, "file")
  ]
}

const count = (n: number, what: string): string => `${number(n)} ${what}${n === 1 ? "" : "s"}`

const rest = (all: number, shown: number, what: string): ReadonlyArray<string> =>
  all > shown ? [`${"".padStart(6)} and ${count(all - shown, `more ${what}`)}`] : []
