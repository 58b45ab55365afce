// Plain English: looks for banned words and sentence openings in comments and string literals of the sources, and in the documentation.
// Prints file:line, the word and its sentence, and fails when there is any. `node scripts/prose.mjs [part of a path ...]`
//
// `--all` looks at the places of `notYet` too. Headings, the first rows of tables and code of Markdown are skipped, and so is code in backticks.
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import { root } from "./steps.mjs"

/** Files and folders that are not clean yet. This list only ever gets shorter. */
const notYet = []

/** Words that common English or the terms of the field replace: the pattern, and what to write instead. */
const banned = [
  [/\bheed(?:s|ed|ing)?\b/i, "respond to"],
  [/\bwho(?:m)?ever\b/i, "name the subject"],
  [/\bnobody\b/i, "no one, nothing, or name the subject"],
  [/\blet(?:s|ting)? (?:\w+ )?go\b/i, "release, close, drop"],
  [/\bgo(?:es)? on by (?:itself|themselves)\b/i, "continues in the background"],
  [/\b(?:leave|leaves|left|leaving) (?:(?!to\b|the\b)\w+ ){0,4}behind\b/i, "abandoned, remains, still open"],
  [/\btells?\b/i, "reports, shows, notifies, distinguishes"],
  [/\btold\b/i, "notified, reported, distinguished"],
  [/\bever (?:more|longer|larger|older|slower|bigger|higher)\b/i, "more and more, rising"],
  [/\bat the (?:most|least)\b/i, "at most, at least"],
  [/\b(?:is|are|was|were) no leaks?\b/i, "is not a leak"],
  [/\banew\b/i, "again, new"],
  [/\bby and by\b/i, "gradually"],
  [/\b(?:there|where)of\b/i, "of it"],
  [/\balike\b(?=\s*(?:[.,;:!?)]|$))/i, "both, equally"],
  [/\bfor ever\b/i, "forever, never ends"],
  [/\bguilt(?:y)?\b/i, "leaking, cause"],
  [/\bculprits?\b/i, "cause"],
  [/\baccus(?:e|es|ed|ing|ation)\b/i, "report as a leak"],
  [/\bconvict(?:s|ed|ing|ion)?\b/i, "report as a leak"],
  [/\binnocent\b/i, "healthy"],
  [/\bobjections?\b/i, "contradicting evidence"],
  [/\btestimony\b/i, "evidence"]
]

/** No sentence begins with these. A question may. */
const openings =
  /^(?:Of(?! course\b)|What|Whoever|Whose|Who|Wherever|Where|That of|Those of|Such|Nobody)\b(?![^.!?]*\?(?:\s|$))/

/** Comments of a source and its literals of three words or more, by line: code becomes empty lines. */
const proseOfSource = (text) => {
  const lines = text.split("\n").map(() => "")
  let line = 0
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|\/(?![*/\s])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*|\n/g
  for (const { 0: found } of text.matchAll(token)) {
    if (found === "\n") {
      line++
      continue
    }
    const comment = found.startsWith("/*") || found.startsWith("//")
    const parts = found.split("\n")
    const own = (part, i) => {
      if (found.startsWith("/*")) return part.replace(/^\s*\/?\*+ ?/, "").replace(/\s*\*\/$/, "")
      if (comment) return part.slice(2)
      if (found.startsWith("/")) return ""
      const code = part.replaceAll(/\$\{[^}]*\}/g, "N").replaceAll(/\\n/g, ". ")
      const bare = i === 0 ? code.slice(1) : code
      return i === parts.length - 1 ? bare.slice(0, -1) : bare
    }
    const texts = parts.map(own)
    // A literal of fewer words is a name or a key.
    if (comment || texts.join(" ").trim().split(/\s+/).length >= 3) {
      for (const [i, part] of texts.entries()) {
        // Something else on the same line is another sentence.
        lines[line + i] = lines[line + i] === "" ? part : `${lines[line + i]} ¶ ${part}`
      }
    }
    line += parts.length - 1
  }
  return lines
}

/** Lines without code, of a comment or of Markdown. A heading, a cell and an item of a list each begin a sentence. */
const proseOfText = (lines, markdown) => {
  let code = false
  const ruler = /^\|[-| :]*\|$/
  return lines.map((line, index) => {
    const text = line.trim()
    if (/^(?:[-*] )?```/.test(text)) {
      code = !code
      return "¶"
    }
    if (code || text.startsWith("<!--")) return "¶"
    if (text === "") return "¶"
    if (markdown && (text.startsWith("#") || ruler.test(text) || ruler.test(lines[index + 1] ?? ""))) return "¶"
    const bare = text
      .replaceAll(/(`+)(?:(?!\1).)*\1/g, "`code`")
      .replaceAll(/\]\([^)]*\)/g, "]")
      .replaceAll(/^@(?:category|since|see).*$/g, "¶")
    const item = /^(?:[-*]|\d+\.) /.test(bare) ? "¶ " : ""
    const cells = markdown && bare.startsWith("|") ? bare.replaceAll("|", " ¶ ") : bare
    return item + cells.replace(/^(?:[-*>]|\d+\.) /, "")
  })
}

/** Sentences with the line where each begins. */
const sentencesOf = (lines) => {
  const sentences = []
  let words = []
  const close = () => {
    if (words.length > 0) sentences.push({ line: words[0].line, text: words.map(({ word }) => word).join(" "), words })
    words = []
  }
  for (const [index, line] of lines.entries()) {
    for (const word of line.split(/\s+/)) {
      if (word === "") continue
      if (word === "¶") {
        close()
        continue
      }
      words.push({ line: index + 1, word })
      if (/[.!?:](?:["'*)\]_]*)$/.test(word) && !/^(?:e\.g\.|i\.e\.|vs\.|etc\.)$/.test(word)) close()
    }
  }
  close()
  return sentences
}

const problemsOf = (file) => {
  const markdown = file.endsWith(".md")
  const lines = readFileSync(join(root, file), "utf8").split("\n")
  const prose = proseOfText(markdown ? lines : proseOfSource(lines.join("\n")), markdown)
  return sentencesOf(prose).flatMap(({ line, text, words }) => {
    const start = text.replace(/^[^\p{L}`]+/u, "")
    const opening = openings.exec(start)
    const lineOf = (at) => {
      let column = 0
      return words.find(({ word }) => (column += word.length + 1) > at)?.line ?? line
    }
    return [
      // A few words before a colon are a label.
      ...(opening === null || (words.length <= 3 && text.endsWith(":"))
        ? []
        : [{ line, what: `begins with "${opening[0]}"`, text }]),
      ...banned.flatMap(([pattern, instead]) => {
        const found = pattern.exec(text)
        return found === null ? [] : [{ line: lineOf(found.index), what: `"${found[0]}" (write: ${instead})`, text }]
      })
    ]
  }).map(({ line, text, what }) => `${file}:${line}: ${what}: ${text}`)
}

const wanted = process.argv.slice(2).filter((argument) => argument !== "--all")
const all = process.argv.includes("--all")
const files = [
  "README.md",
  "CONTRIBUTING.md",
  "AGENTS.md",
  "CHANGELOG.md",
  "docs/**/*.md",
  "packages/*/README.md",
  "packages/*/src/**/*.ts"
].flatMap((pattern) => globSync(pattern, { cwd: root }))
  .filter((file) => all || !notYet.some((path) => file === path || file.startsWith(`${path}/`)))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()

const problems = files.flatMap(problemsOf)
for (const problem of problems) console.log(problem)
console.log(`${files.length} files, ${problems.length} sentences to write in plain English`)
process.exitCode = problems.length > 0 ? 1 : 0
