/** The output of a benchmark. */
import os from "node:os"
import process from "node:process"
import type { Interval } from "./statistics.ts"

/** A Markdown table. The first row is its header. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const [head, ...lines] = rows.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`)
  return [head, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...lines].join("\n")
}

export const renderRatio = ({ high, low, value }: Interval): string =>
  `${value.toFixed(3)} × [${low.toFixed(3)}, ${high.toFixed(3)}]`

export const renderNumber = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 1 ? value.toFixed(1) : value.toPrecision(2)

/** The machine and its load. */
export const machine = (): string =>
  `Node ${process.version}, ${process.platform} ${process.arch}, ${os.availableParallelism()} cores\n`
  + `load ${
    os.loadavg().map((one) => one.toFixed(1)).join(", ")
  } (processes that want a core, over the last minute, five and fifteen)`
