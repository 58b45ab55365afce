/** What is said about the end of a process. */
import * as Duration from "effect/Duration"
import type { Reason } from "../GracefulShutdown.ts"
import type { EndReport } from "../RunMain.ts"
import { inBrackets, renderStuck, renderTime } from "./liveFibers.ts"

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
  // A blocked event loop has not even begun.
  const after = elapsedMs === undefined ? "" : ` after ${renderTime(elapsedMs)}`
  const lines = [
    report.forced === undefined
      ? `stopped${after}, exit code ${report.exitCode}`
      : `${why[report.forced]}: ending${after}, exit code ${report.exitCode}`
  ]
  const list = (title: string, entries: ReadonlyArray<string>) => {
    if (entries.length > 0) lines.push(`  ${title}`, ...entries.map((entry) => `    ${entry}`))
  }
  list(
    "did not stop in order:",
    report.participants.filter(({ outcome }) => outcome !== "ended").map(({ elapsed, name, outcome, site }) =>
      `"${name}" ${words[outcome]} after ${renderTime(Duration.toMillis(elapsed))}${inBrackets(site, base)}`
    )
  )
  list("not begun:", report.notStarted.map((name) => `"${name}"`))
  list("held open:", report.held.map(({ label, site }) => `"${label}"${inBrackets(site, base)}`))
  if (report.blockedAt !== undefined) list("the event loop is blocked at:", report.blockedAt.split("\n"))
  list(
    `${report.stuck.length} live ${report.stuck.length === 1 ? "fiber" : "fibers"}:`,
    renderStuck(report.stuck, base)
  )
  list("open handles:", report.handles)
  return lines.join("\n")
}

const words = {
  running: "still running",
  ended: "ended",
  failed: "failed",
  timedOut: "was interrupted",
  stuck: "does not heed its interruption"
}
