/**
 * The lab over the primitives of the installed version of Effect. Prints one line for each case, and for each failing one the
 * simplest failure.
 */
import { Effect } from "effect"
import type { Report } from "../../../src/testing/index.ts"
import { InterruptLab, render } from "../../../src/testing/index.ts"
import type { Case } from "./Case.ts"
import { coordination } from "./coordination.ts"
import { fibers } from "./fibers.ts"
import { resources } from "./resources.ts"
import { streams } from "./streams.ts"

export const cases: ReadonlyArray<Case> = [...resources, ...fibers, ...coordination, ...streams]

export const examine = ({ make, options }: Case, more?: InterruptLab.ExploreOptions): Promise<Report> =>
  Effect.runPromise(Effect.scoped(InterruptLab.explore(make, { ...options, ...more })))

/** Examines all cases and prints the result; the names of those that failed and are not known to. */
export const main = async (version: string): Promise<ReadonlyArray<string>> => {
  const began = performance.now()
  const failed: Array<Case> = []
  let runs = 0
  for (const each of cases) {
    // Also at points where only a scheduler without a budget could park: Effect's own primitives must survive any.
    const report = await examine(each, { points: ["park", "task", "idle", "delivery"] })
    const random = await examine(each, { points: ["park", "task", "idle", "delivery"], order: "random", orders: 3 })
    runs += report.runs + random.runs
    const broken = report.failures.length > 0 ? report : random
    const known = each.finding === undefined ? "" : `, see ${each.finding}`
    const verdict = broken.failures.length === 0 ? "ok" : `FAIL in ${broken.failures.length} runs${known}`
    console.log(`${each.name.padEnd(46)} ${String(report.undisturbed.ops).padStart(5)} operations  ${verdict}`)
    if (broken.failures.length === 0) continue
    failed.push(each)
    console.log(`\n${render(broken).replaceAll(/^/gm, "    ")}\n`)
  }
  const seconds = (performance.now() - began) / 1000
  console.log(
    `\neffect ${version}: ${cases.length - failed.length} of ${cases.length} pass, ${runs} runs in ${
      seconds.toFixed(1)
    } s`
  )
  return failed.filter(({ finding }) => finding === undefined).map(({ name }) => name)
}
