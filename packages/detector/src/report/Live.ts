/** The live view of a run: curves, the fork sites with the most live fibers, suspicions, and the progress to a verdict. */
import type { Diagnosis } from "../diagnosis/Diagnosis.ts"
import { isLeak } from "../Finding.ts"
import type { FiberSiteRecord, Observation } from "../observation/Observation.ts"
import { placeOfSite } from "../observation/placeOfSite.ts"
import { describeSite, siteOf } from "../places/Site.ts"
import { survivors } from "../statistics/Lifetimes.ts"
import { limits } from "../statistics/limits.ts"
import type { Window } from "../statistics/Window.ts"
import { number, size } from "../text/Units.ts"
import { oneLine } from "../text/Untrusted.ts"
import * as Columns from "./Columns.ts"
import { sparkline } from "./Sparkline.ts"
import { plain } from "./Style.ts"
import type { Style } from "./Style.ts"

/** The state of a run at a moment. `limitMs` is absent when the run continues until the program ends. */
export interface LiveState {
  readonly elapsedMs: number
  readonly limitMs: number | undefined
  readonly processes: ReadonlyArray<{ readonly observation: Observation; readonly diagnosis: Diagnosis }>
}

/** Renders the state as at most `rows` lines of at most `columns` columns, the most important first. */
export const renderLive = (
  { elapsedMs, limitMs, processes }: LiveState,
  options: { readonly columns: number; readonly rows: number; readonly style?: Style | undefined }
): ReadonlyArray<string> => {
  const style = options.style ?? plain
  const columns = Math.max(20, options.columns)
  // Each line passes through here, so no control characters of the program reach the terminal.
  const cut = (text: string): string => Columns.cut(oneLine(text), columns)
  const observed = processes.filter(({ observation }) => observation.copies.length > 0)
  const main = [...observed].sort((a, b) => started(b.observation) - started(a.observation))[0]
  const seconds = Math.floor(elapsedMs / 1000)
  const time = limitMs === undefined ? `${seconds} s` : `${seconds} of ${Math.round(limitMs / 1000)} s`
  const head = (rest: string) => style.strong(cut(`fiberscope  ${time}  ${rest}`))
  if (main === undefined) return [head("waiting for the first fiber of effect")]

  const { diagnosis, observation } = main
  const reached = progress(elapsedMs, limitMs ?? Infinity, observed.map((one) => one.diagnosis))
  const lines = [head(`${reached}  ${observation.readings} readings`)]
  const findings = observed.flatMap((one) => one.diagnosis.findings.filter(isLeak))
  for (const { summary } of findings.slice(0, 2)) lines.push(style.bad(cut(`  ! ${summary}`)))
  const curve = (name: "fibers.live" | "heap.floor" | "rss", label: string, render: (value: number) => string) => {
    const values = observation.series(name).map(({ value }) => value)
    if (values.length === 0) return
    const cells = Math.max(6, Math.min(40, columns - 30))
    lines.push(
      cut(`  ${label.padEnd(11)} ${sparkline(values.slice(-cells), cells).padEnd(cells)} ${render(values.at(-1)!)}`)
    )
  }
  curve("fibers.live", "live fibers", number)
  curve("heap.floor", "heap floor", size)
  curve("rss", "rss", size)
  for (const [id, live] of observation.lastTick?.live.slice(0, 3) ?? []) {
    const site = observation.sites.get(id)
    const place = site === undefined ? undefined : placeOfSite(site)
    const name = place === undefined ? "(no Effect.fn or span)" : describeSite(siteOf(place))
    const past = site === undefined || columns < 60 ? "" : history(site, observation.window)
    lines.push(cut(`  ${number(live).padStart(7)}  ${past}${name}`))
  }
  for (const { what, why } of diagnosis.suspicions.slice(0, 1)) lines.push(style.unsure(cut(`  ? ${what}: ${why}`)))
  if (observed.length > 1) lines.push(cut(`  and ${observed.length - 1} more processes and threads with effect`))
  return lines.slice(0, Math.max(1, options.rows))
}

const started = (observation: Observation): number => observation.lastTick?.fibers.started ?? 0

/** The age of a site's oldest live fiber, and its live fibers by time of birth: flat when they pile up, mostly empty when they end. */
const history = ({ lives }: FiberSiteRecord, window: Window): string => {
  let oldest = Infinity
  for (const { born, count, died } of lives.all()) if (count > 0 && died === Infinity) oldest = Math.min(oldest, born)
  if (oldest === Infinity) return ""
  const age = `oldest ${Math.round((window.end - oldest) / 1000)} s`
  return `${age.padEnd(12)} ${sparkline(survivors(lives.all(), window, 10), 10, 0)}  `
}

const progress = (elapsedMs: number, limitMs: number, diagnoses: ReadonlyArray<Diagnosis>): string => {
  const [leak, ok] = [limits.leakAfter / 1000, limits.okAfter / 1000]
  if (diagnoses.some(({ findings }) => findings.some(isLeak))) return "LEAK"
  if (limitMs < limits.leakAfter) return `this run is too short: a leak shows after ${leak} s`
  if (elapsedMs < limits.leakAfter) return `no verdict yet: a leak shows after ${leak} s`
  if (diagnoses.some(({ suspicions }) => suspicions.length > 0)) return "possible leak, undecided so far"
  if (limitMs < limits.okAfter) return `no leak so far; an ok takes a run of ${ok} s`
  if (elapsedMs < limits.okAfter) return `no leak so far; an ok is possible after ${ok} s`
  return diagnoses.every(({ verdict }) => verdict === "ok") ? "ok so far" : "undecided so far"
}
