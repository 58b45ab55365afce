// Checks what the pages for contributors name: every path in backticks in AGENTS.md and CONTRIBUTING.md exists, every script that they run
// is in package.json, and every public module has its line in the READMEs and in docs/README.md. `node scripts/agents.mjs`
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import { root } from "./steps.mjs"

const read = (file) => readFileSync(join(root, file), "utf8")
const { scripts } = JSON.parse(read("package.json"))
const failures = []
let checked = 0

/** A path from the root: it has a folder or an ending, and is not the name of a package, an option or a sentence. */
const isPath = (text) =>
  /^[\w./{},<>*-]+$/.test(text) && !text.startsWith("/") && !/^(?:effect|node)\//.test(text)
  && (/^[\w.-]+\/./.test(text) || /^[\w-]+\.(?:md|mjs|ts|json|jsonc|yaml)$/.test(text))

const exists = (path) => globSync(path.replaceAll(/<[^>]*>/g, "*"), { cwd: root }).length > 0

/** `a/{b,c}.ts` as `a/b.ts` and `a/c.ts`. */
const alternatives = (path) => {
  const braces = /^([^{]*)\{([^}]*)\}(.*)$/.exec(path)
  if (braces === null) return [path]
  return braces[2].split(",").flatMap((one) => alternatives(`${braces[1]}${one}${braces[3]}`))
}

/** Files that a guide asks to be written: only their folder must be there. */
const folderOf = (path) => (/\/<[A-Z]\w*>\.\w+$/.test(path) ? path.replace(/\/[^/]*$/, "") : path)

for (const page of ["AGENTS.md", "CONTRIBUTING.md"]) {
  for (const [index, line] of read(page).split("\n").entries()) {
    for (const [, text] of line.matchAll(/`([^`]+)`/g)) {
      for (const word of text.split(" ").filter(isPath)) {
        for (const path of alternatives(word)) {
          checked++
          if (!exists(folderOf(path))) failures.push(`${page}:${index + 1}: ${path} does not exist`)
        }
      }
    }
    for (const [, name] of line.matchAll(/\bp?npm run (?:-s )?([\w:]+)/g)) {
      checked++
      if (scripts[name] === undefined) failures.push(`${page}:${index + 1}: package.json has no script ${name}`)
    }
  }
}

for (const name of ["core", "detector"]) {
  const modules = Object.keys(JSON.parse(read(`packages/${name}/package.json`)).exports)
    .filter((path) => path !== "./package.json")
    .map((path) => path.slice(2))
  for (const page of ["README.md", `packages/${name}/README.md`, "docs/README.md"]) {
    const rows = read(page).split("\n").map((line) => /^\| \[`?([\w/]+)`?\]\(/.exec(line)?.[1])
    for (const module of modules) {
      checked++
      if (!rows.includes(module)) failures.push(`${page}: no line for @fiberscope/${name}/${module}`)
    }
  }
}

for (const failure of failures) console.log(failure)
console.log(`${checked} names, ${failures.length} wrong`)
process.exitCode = failures.length > 0 ? 1 : 0
