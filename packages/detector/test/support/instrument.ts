/** A copy of the agent in which one function, chosen by its number, throws on every call. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseSync, Visitor } from "oxc-parser"
import { coreModules } from "../../src/agent/toolFrames.ts"

/** A function of the agent. */
export interface AgentFunction {
  readonly number: number
  readonly file: string
  readonly line: number
}

/** Reads the number of the function that throws, and `FAIL_LOG`, a file for the numbers of all functions that ran. */
const prelude = `
import { writeFileSync as __write } from "node:fs"
const __fail = globalThis[Symbol.for("test/fail")] ??= (() => {
  const at = Number(process.env.FAIL_AT), log = process.env.FAIL_LOG, ran = new Set()
  if (log !== undefined) process.on("exit", () => __write(log, JSON.stringify([...ran])))
  return (number) => {
    if (log !== undefined) ran.add(number)
    if (number === at) throw new Error("injected")
  }
})()
`

/**
 * Functions that the runtime calls and that are only a guard. They are below a comment \`// guarded: <reason>\`, and the functions
 * that they call are instrumented.
 */
const isShell = (lines: ReadonlyArray<string>, line: number): boolean =>
  /\/\/ guarded: /.test(lines[line - 1] ?? "") || /\/\/ guarded: /.test(lines[line - 2] ?? "")

/** Writes the copy and answers its functions and the path of its entry. */
export const instrumentAgent = (
  folder: string
): { readonly functions: ReadonlyArray<AgentFunction>; readonly entry: string } => {
  const agent = fileURLToPath(new URL("../../src/agent/", import.meta.url))
  const core = dirname(fileURLToPath(import.meta.resolve("@fiberscope/core/FiberCensus")))
  const functions: Array<AgentFunction> = []
  const names = readdirSync(agent).map((name) => name.replace(/\.ts$/, ""))
  const files = [
    ...names.map((name) => [`agent/${name}`, join(agent, `${name}.ts`)] as const),
    ...coreModules.map((name) => [`core/${name}`, join(core, `${name}.ts`)] as const)
  ]
  for (const [name, path] of files) {
    const source = stripTypeScriptTypes(readFileSync(path, "utf8"))
    // The guard itself is trusted, so it is not instrumented.
    const text = name === "core/internal/census/Guard" ? source : prelude + instrument(source, name, functions)
    const file = join(folder, `${name}.js`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(
      file,
      text
        .replace(/(["'])(\.{1,2}\/[^"']+)\.ts\1/g, "$1$2.js$1")
        .replace(/"@fiberscope\/core\/(\w+)"/g, "\"../core/$1.js\"")
    )
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
  return { functions, entry: join(folder, "agent/register.js") }
}

interface FunctionNode {
  readonly start: number
  readonly body: { readonly type: string; readonly start: number; readonly end: number } | null
}

const instrument = (source: string, name: string, functions: Array<AgentFunction>): string => {
  const lines = source.split("\n")
  const inserts: Array<readonly [at: number, text: string]> = []
  const visit = (node: unknown): void => {
    const { body, start } = node as FunctionNode
    if (body === null) return
    const line = source.slice(0, start).split("\n").length
    if (isShell(lines, line)) return
    const number = functions.length
    functions.push({ number, file: name, line })
    if (body.type === "BlockStatement") inserts.push([body.start + 1, `__fail(${number});`])
    else inserts.push([body.start, `(__fail(${number}), (`], [body.end, "))"])
  }
  const { program } = parseSync(`${name}.js`, source, { lang: "js", sourceType: "module" })
  new Visitor({ ArrowFunctionExpression: visit, FunctionExpression: visit, FunctionDeclaration: visit }).visit(program)
  return inserts
    .sort(([a], [b]) => b - a)
    .reduce((text, [at, insert]) => text.slice(0, at) + insert + text.slice(at), source)
}
