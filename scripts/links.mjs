// Follows every link inside of the documentation, and every page that the sources name: the page must exist, and its heading.
// Pages that nothing links to are failures too: nobody would find them.
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { root } from "./steps.mjs"

const read = (file) => readFileSync(join(root, file), "utf8")

const below = (folder, ending) =>
  readdirSync(join(root, folder), { recursive: true }).filter((file) => file.endsWith(ending)).map((file) =>
    join(folder, file)
  )

/** The anchors of a page's headings, as they are made where the page is read. */
const anchorsOf = (file) => {
  let code = false
  return read(file).split("\n").flatMap((line) => {
    if (line.startsWith("```")) code = !code
    const heading = code ? null : /^#+ (.*)$/.exec(line)
    if (heading === null) return []
    const text = heading[1].trim().toLowerCase().replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    return [text.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-")]
  })
}

/** Every link of a page, and every page of the documentation that a source names, as `[from, to]`. */
const documentation = below("docs", ".md")
const pages = [
  "README.md",
  "AGENTS.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...globSync("packages/*/README.md", { cwd: root }),
  ...documentation
]
const links = [
  ...pages.flatMap((from) =>
    [...read(from).replaceAll(/```[\s\S]*?```/g, "").matchAll(/\]\(([^)\s]+)\)/g)]
      .filter(([, to]) => !/^https?:/.test(to))
      .map(([, to]) => [from, to, to.startsWith("#") ? from + to : normalize(join(dirname(from), to))])
  ),
  ...readdirSync(join(root, "packages")).flatMap((name) => below(join("packages", name, "src"), ".ts")).flatMap((
    from
  ) => [...read(from).matchAll(/docs\/[\w/-]+\.md(?:#[\w-]+)?/g)].map(([to]) => [from, to, to]))
]

const failures = links.flatMap(([from, to, target]) => {
  const [file, anchor] = target.split("#")
  if (!existsSync(join(root, file))) return [`${from}: ${to} does not exist`]
  return anchor === undefined || anchorsOf(file).includes(anchor) ? [] : [`${from}: ${to} has no such heading`]
})
const linked = new Set(links.map(([, , target]) => target.split("#")[0]))
for (const page of documentation) if (!linked.has(page)) failures.push(`${page}: nothing links to it`)

for (const failure of failures) console.log(failure)
console.log(`${links.length} links, ${failures.length} broken`)
process.exitCode = failures.length > 0 ? 1 : 0
