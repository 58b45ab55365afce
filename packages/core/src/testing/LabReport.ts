/** The results of the lab, as data and as text. */
import type * as Exit from "effect/Exit"
import type { Place } from "../internal/fibers/places.ts"
import type { LedgerEvent } from "./Ledger.ts"
import type { Plan, Point } from "./Point.ts"
import { renderPoint } from "./Point.ts"

export type { Place } from "../internal/fibers/places.ts"

/**
 * One operation of Effect's run loop: `name` is what Effect calls it, `fiber` is `root`, `subject 1`, `fiber 1`, ....
 *
 * @category models
 */
export interface Operation {
  readonly op: number
  readonly fiber: string
  readonly name: string
}

/**
 * An interruption that was carried out: of `victim`, while `fiber` was about to run the operation `op`.
 *
 * @category models
 */
export interface Interruption {
  readonly point: Point
  readonly fiber: string
  readonly victim: string
  readonly op: number
  /** Virtual time, in milliseconds. */
  readonly ms: number
  /** The line of the `yield*` at which `fiber` was suspended; `undefined` if there is none. */
  readonly at: Place | undefined
  /** The same as text, with the enclosing functions and spans. */
  readonly site: ReadonlyArray<string>
}

/**
 * One run of a program, in full.
 *
 * @category models
 */
export interface Run {
  readonly token: string
  readonly plan: Plan
  readonly problems: ReadonlyArray<string>
  readonly interruptions: ReadonlyArray<Interruption>
  /** `undefined`: the program never ended. */
  readonly exit: Exit.Exit<unknown, unknown> | undefined
  readonly events: ReadonlyArray<LedgerEvent>
  readonly operations: ReadonlyArray<Operation>
  /** The operations of the undisturbed program. */
  readonly undisturbed: ReadonlyArray<Operation>
  /** Virtual time at the end, in milliseconds. */
  readonly ms: number
}

/**
 * A run with problems.
 *
 * @category models
 */
export interface Failure {
  readonly token: string
  readonly plan: Plan
  readonly problems: ReadonlyArray<string>
}

/**
 * The result of an exploration.
 *
 * **Details**
 *
 * `points` counts the runs by the kind of their last interruption. `sampled` is present when the budget did not suffice for all
 * of the `planned` runs. `unreached` counts runs of a program with promises that took a different path before their point.
 *
 * @category models
 */
export interface Report {
  readonly runs: number
  /** Real time, in milliseconds. */
  readonly millis: number
  readonly points: { readonly park: number; readonly task: number; readonly idle: number }
  readonly undisturbed: { readonly ops: number; readonly tasks: number; readonly idles: number; readonly ms: number }
  readonly sampled: { readonly planned: number; readonly seed: number } | undefined
  readonly unreached: number
  readonly failures: ReadonlyArray<Failure>
  /** The simplest of the failures, played again with a full record. */
  readonly simplest: Run | undefined
}

/**
 * Renders a report: one line when there were no failures, otherwise the simplest failure.
 *
 * @category rendering
 */
export const render = (report: Report): string => {
  const { failures, points, runs, sampled, simplest } = report
  const interrupted = points.park + points.task + points.idle
  const sample = sampled === undefined ? "" : `, a sample of ${sampled.planned} runs with seed ${sampled.seed}`
  const drift = report.unreached === 0
    ? ""
    : `\n${report.unreached} runs did not reach their point: the program takes a different path each time`
  if (simplest === undefined) {
    return `no failures: interrupted at ${interrupted} points${sample}${drift}`
  }
  const order = simplest.plan.order._tag === "Fifo" ? "" : ", in another order of its tasks"
  const head = simplest.plan.points.length === 0
    ? `this program breaks ${renderFault(simplest.plan) ?? "without any interruption"}${order}`
    : `interruption breaks this program in ${failures.length} of ${runs} runs${order}`
  return `${head}${drift}\n\n${renderRun(simplest, failures)}`
}

/**
 * Renders a run: where it was interrupted, the operations around that, the problems, the ledger and the token.
 *
 * @category rendering
 */
export const renderRun = (run: Run, among: ReadonlyArray<Failure> = []): string => {
  const sections: Array<string> = []
  run.interruptions.forEach((interruption, index) => {
    const others = index > 0 ? [] : among.filter(({ plan, token }) => plan.points.length === 1 && token !== run.token)
    sections.push([
      `  ${renderInterruption(interruption, run)}${others.length === 0 ? "" : ` (also: ${renderOthers(others)})`}`,
      ...renderOperations(index === 0 ? run.undisturbed : run.operations, interruption),
      ...interruption.site.map((line) => `  at ${line}`)
    ].join("\n"))
  })
  const fault = run.plan.points.length === 0 ? undefined : renderFault(run.plan)
  if (fault !== undefined) sections.push(`  ${fault}`)
  sections.push(run.problems.map((problem) => `  ${problem}`).join("\n") || "  no violations")
  if (run.events.length > 0) sections.push(["  ledger", ...renderLedger(run).map((line) => `  ${line}`)].join("\n"))
  sections.push(`  replay with InterruptLab.replay(program, "${run.token}")`)
  return sections.join("\n\n")
}

const renderInterruption = ({ fiber, point, victim }: Interruption, run: Run): string => {
  switch (point._tag) {
    case "Park": {
      const next = run.undisturbed.find(({ op }) => op === point.op)?.name
      const parked = `${fiber} is parked${next === undefined ? "" : ` before ${next}`}`
      return `op ${point.op}: ${parked}, and ${fiber === victim ? "" : `${victim} is `}interrupted`
    }
    case "Task":
      return `task ${point.task}: ${victim} is interrupted before the scheduler runs this task`
    case "Idle":
      return `idle ${point.idle}: ${victim} is interrupted while every fiber waits`
  }
}

const renderOperations = (operations: ReadonlyArray<Operation>, { op, point }: Interruption): ReadonlyArray<string> => {
  const parked = point._tag === "Park"
  const around = operations.filter((operation) => operation.op > op - 4 && operation.op <= op + (parked ? 2 : 0))
  const width = String(op + 2).length
  const fibers = Math.max(...around.map(({ fiber }) => fiber.length), 0)
  const lines = around.map((operation) => {
    const arrow = parked && operation.op === op ? "→" : " "
    return `    ${arrow} ${String(operation.op).padStart(width)}  ${operation.fiber.padEnd(fibers)}  ${operation.name}`
  })
  return parked ? lines : [...lines, "    → (here)"]
}

/** The points of other failures, without duplicates: with several orders of tasks one point may fail in many runs. */
const renderOthers = (others: ReadonlyArray<Failure>): string =>
  elide([...new Set(others.map(({ plan }) => renderPoint(plan.points[0]!)))], 8).join(", ")

const renderFault = ({ fault }: Plan): string | undefined => {
  switch (fault?.kind) {
    case undefined:
      return undefined
    case "failingAcquire":
      return `when acquisition ${fault.at} fails`
    case "dyingRelease":
      return `when release ${fault.at} dies`
    case "slowRelease":
      return `when release ${fault.at} takes a second`
  }
}

const renderEvent = ({ ms, op, text }: LedgerEvent): string =>
  `  op ${String(op).padEnd(4)} ${`${ms} ms`.padEnd(8)} ${text}`

/** The events, with the interruptions between them. */
const renderLedger = ({ events, interruptions }: Run): ReadonlyArray<string> => {
  const all: Array<LedgerEvent> = [...events]
  const arrows = interruptions.map(({ ms, op, victim }): LedgerEvent => ({
    op,
    ms,
    text: `→ ${victim} is interrupted`
  }))
  for (const arrow of arrows) {
    const next = all.findIndex(({ op }) => op > arrow.op)
    all.splice(next < 0 ? all.length : next, 0, arrow)
  }
  return elide(all.map(renderEvent), 24, arrows.map((arrow) => all.indexOf(arrow)))
}

/** Shortens a list: keeps the last lines, those around the lines that matter, and the first ones. */
const elide = (
  lines: ReadonlyArray<string>,
  most: number,
  matter: ReadonlyArray<number> = []
): ReadonlyArray<string> => {
  if (lines.length <= most) return lines
  const kept = new Set<number>()
  const keep = (from: number, to: number) => {
    for (let at = Math.max(from, 0); at <= to && at < lines.length && kept.size < most - 1; at++) kept.add(at)
  }
  keep(lines.length - 3, lines.length)
  for (const at of matter) keep(at - 3, at + 3)
  keep(0, lines.length)
  let omitted = 0
  return lines.flatMap((line, at) => {
    if (!kept.has(at)) {
      omitted++
      return []
    }
    const gap = omitted === 0 ? [] : [`… ${omitted} more …`]
    omitted = 0
    return [...gap, line]
  })
}
