/** Renders the report about the end of a process. */
import * as Duration from "effect/Duration"
import { inBrackets, renderCount, renderStuck, renderTime } from "../fibers/stuckFibers.ts"
import type { StuckFiber } from "../fibers/stuckFibers.ts"
import type { EndReport, Reason } from "./model.ts"

export const renderReason = (reason: Reason): string => {
  switch (reason._tag) {
    case "Signal":
      return reason.signal
    case "Requested":
      return reason.reason
    case "Fault":
      return reason.kind
    case "MainFailed":
      return "the program failed"
  }
}

const why = {
  deadline: "the deadline has passed",
  secondSignal: "a second signal",
  secondFault: "a second fault",
  blocked: "the event loop is blocked"
}

/** One line for an end in order; for a forced one, everything that it did not wait for. */
export const renderEnd = (report: EndReport, elapsedMs: number | undefined, base: string): string => {
  // With a blocked event loop, the shutdown has not begun.
  const after = elapsedMs === undefined ? "" : ` after ${renderTime(elapsedMs)}`
  const unordered = report.participants.filter(({ outcome }) => outcome !== "ended")
  return [
    report.forced === undefined
      ? `stopped${after}, exit code ${report.exitCode}`
      : `${why[report.forced]}: ending${after}, exit code ${report.exitCode}`,
    ...section(
      "did not stop in order:",
      unordered.map(({ elapsed, name, outcome, site }) =>
        `"${name}" ${labels[outcome]} after ${renderTime(Duration.toMillis(elapsed))}${inBrackets(site, base)}`
      )
    ),
    ...section("not begun:", report.notStarted.map((name) => `"${name}"`)),
    ...section("held open:", report.held.map(({ label, site }) => `"${label}"${inBrackets(site, base)}`)),
    ...section("the event loop is blocked at:", report.blockedAt?.split("\n") ?? []),
    ...alive(report.stuck, report.handles, base)
  ].join("\n")
}

const labels = {
  running: "still running",
  ended: "ended",
  failed: "failed",
  timedOut: "was interrupted",
  stuck: "does not respond to interruption"
}

/** The live fibers and open handles, below a title. */
export const renderLeft = (
  title: string,
  stuck: ReadonlyArray<StuckFiber>,
  handles: ReadonlyArray<string>,
  base: string
): string => [title, ...alive(stuck, handles, base)].join("\n")

const alive = (stuck: ReadonlyArray<StuckFiber>, handles: ReadonlyArray<string>, base: string) => [
  ...section(`${renderCount(stuck.length)}:`, renderStuck(stuck, base)),
  ...section("open handles:", handles)
]

const section = (title: string, entries: ReadonlyArray<string>): ReadonlyArray<string> =>
  entries.length === 0 ? [] : [`  ${title}`, ...entries.map((entry) => `    ${entry}`)]
