// Writes the tables of docs/rules.md from the table of checks and from the limits: `node scripts/rules.mjs`. `--check` fails where the page
// differs from them.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import { root } from "./steps.mjs"

const { checks } = await import("../packages/detector/src/statistics/checks.ts")
const { limits } = await import("../packages/detector/src/statistics/limits.ts")

const page = join(root, "docs/rules.md")

/** A table whose columns have one width, as the formatter writes it. */
const table = (head, rows) => {
  const widths = head.map((title, i) => Math.max(title.length, 3, ...rows.map((row) => row[i].length)))
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join("\n")
}

const rows = table(
  ["row", "the answer", "the report says", "reason"],
  [
    ...checks.map(({ name, reason, says, text }) => [name, says, text, reason]),
    ["balanced", "steady", "arrivals and departures are balanced", "No row above holds."]
  ]
)

/** The comment above each limit, in its source. */
const reasonOf = (name) => {
  const source = readFileSync(join(root, "packages/detector/src/statistics/limits.ts"), "utf8")
  const [, comment] = new RegExp(String.raw`/\*\*((?:(?!\*/)[\s\S])*)\*/\s*${name}:`).exec(source)
  return comment.replaceAll(/\s*\n\s*\* ?/g, " ").trim()
}

const numbers = table(
  ["limit", "value", "reason"],
  Object.entries(limits).map(([name, value]) => [`\`${name}\``, String(value), reasonOf(name)])
)

const before = readFileSync(page, "utf8")
const between = (text, name, content) =>
  text.replace(
    new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`),
    (_, start, end) => `${start}\n${content}\n\n${end}`
  )
const after = between(between(before, "rows", rows), "limits", numbers)

if (process.argv.includes("--check")) {
  if (after !== before) console.log("docs/rules.md differs from the table of checks: run node scripts/rules.mjs")
  process.exitCode = after === before ? 0 : 1
} else writeFileSync(page, after)
