// Makes the picture in the README, and every text below a comment `capture: command`, from real runs. `node scripts/picture.mjs` runs the demo,
// colours and all, draws its output as an SVG, and runs the other commands. Nothing in them is written by hand.
import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const target = join(root, "docs/images/start.svg")
const { NO_COLOR: _, ...env } = process.env
const run = spawnSync(process.execPath, [join(root, "packages/examples/src/demo.ts")], {
  encoding: "utf8",
  env: { ...env, FORCE_COLOR: "1" },
  stdio: ["ignore", "pipe", "inherit"]
})
if (run.status !== 0) process.exit(run.status ?? 1)

const colours = { 31: "#ff6b6b", 32: "#5bd68a", 33: "#f2c14e", 2: "#7d8590" }
const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
const [width, height] = [8.4, 20]
const colour = new RegExp(String.raw`(\u001b\[\d+m)`)
const withoutColours = (line) => line.split(colour).filter((part) => !colour.test(part)).join("")

/** One line with its colours as the spans of a text element; each span is placed by its column, so that no font can shift it. */
const draw = (line, row) => {
  let column = 0
  let style = ""
  const spans = []
  for (const part of line.split(colour)) {
    if (colour.test(part)) {
      const code = part.slice(2, -1)
      style = code === "0" ? "" : code === "1" ? " font-weight=\"bold\"" : ` fill="${colours[code] ?? "#e6edf3"}"`
      continue
    }
    if (part.trim() !== "") {
      spans.push(`<tspan x="${(16 + column * width).toFixed(1)}"${style} xml:space="preserve">${escape(part)}</tspan>`)
    }
    column += [...part].length
  }
  return `<text y="${24 + row * height}">${spans.join("")}</text>`
}

const lines = run.stdout.trimEnd().split("\n")
const columns = Math.max(...lines.map((line) => [...withoutColours(line)].length))
const svg = [
  `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.ceil(columns * width + 32)}" height="${
    lines.length * height + 24
  }" `
  + "font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\" fill=\"#e6edf3\">",
  "<title>npm start: four leaking programs and their fixed versions, observed by Fiberscope</title>",
  "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>",
  ...lines.map(draw),
  "</svg>"
]
mkdirSync(dirname(target), { recursive: true })
writeFileSync(target, svg.join("\n") + "\n")

const table = lines.map((line) => withoutColours(line).trimEnd())
const first = table.findIndex((line) => line.startsWith("program"))
const text = table.slice(first, table.indexOf("", first)).join("\n").replaceAll("\u202f", " ")
const readme = join(root, "README.md")
const capture = /(<!-- capture: (.*) -->\s+```text\n)[^`]*(```)/g
const captured = (command) => {
  if (command === "npm start") return text
  const { status, stderr, stdout } = spawnSync(command, { cwd: root, encoding: "utf8", env, shell: true })
  // 23: the leak that the page is about.
  if (status !== 0 && status !== 23) throw new Error(`${command} ended with ${status}: ${stderr}`)
  return withoutColours(command.includes("fiberscope") ? stderr : stdout).trim().replaceAll("\u202f", " ")
}
for (const page of [readme, join(root, "docs/examples.md")]) {
  const filled = readFileSync(page, "utf8")
    .replaceAll(capture, (_, before, command, after) => `${before}${captured(command)}\n${after}`)
  writeFileSync(page, filled)
}
console.log(run.stdout)
