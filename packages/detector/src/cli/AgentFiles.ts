/**
 * Provides the agent as files that any Node can load.
 *
 * A published package has compiled files. In the workspace they are TypeScript, which an older Node or a loader of the observed program
 * may not understand, so their types are stripped into a folder. The folder remains, because a child of the program may start after
 * this process has ended.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { basename, dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { coreModules } from "../agent/toolFrames.ts"

/** The agent's files cannot be prepared. */
export class AgentFilesError extends Data.TaggedError("AgentFilesError")<{ readonly message: string }> {}

const agentFolder = fileURLToPath(new URL("../agent/", import.meta.url))

/** The URL for `node --import`. */
export const agentUrl: Effect.Effect<string, AgentFilesError> = Effect.try({
  try: () => (import.meta.url.endsWith(".ts") ? strip() : pathToFileURL(join(agentFolder, "register.js")).href),
  catch: (error) =>
    new AgentFilesError({
      message: `the files of the agent could not be prepared: ${error instanceof Error ? error.message : String(error)}`
    })
})

const strip = (): string => {
  const census = fileURLToPath(import.meta.resolve("@fiberscope/core/FiberCensus"))
  const core = dirname(census)
  const sources = new Map<string, string>()
  for (const name of readdirSync(agentFolder)) {
    sources.set(`agent/${name}`, readFileSync(join(agentFolder, name), "utf8"))
  }
  for (const name of coreModules.map((module) => `${module}.ts`)) {
    sources.set(`core/${name}`, readFileSync(join(core, name), "utf8"))
  }
  const hash = createHash("sha256")
  for (const [name, text] of sources) hash.update(name).update(text)
  const target = join(agentFolder, "../../.agent", hash.digest("hex").slice(0, 16))
  const entry = join(target, "agent/register.js")
  if (!existsSync(entry)) {
    // Two runs may do this at once, so each makes a temporary folder and renames it.
    const aside = `${target}.${process.pid}`
    for (const [name, text] of sources) {
      const file = join(aside, name.replace(/\.ts$/, ".js"))
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, relink(name, withoutWarning(() => stripTypeScriptTypes(text))))
    }
    writeFileSync(join(aside, "package.json"), JSON.stringify({ type: "module" }))
    try {
      renameSync(aside, target)
    } catch (error) {
      if (!existsSync(entry)) throw error
    }
  }
  return pathToFileURL(entry).href
}

/** Runs `body` without warnings: Node warns once per process that stripping types is experimental. */
const withoutWarning = <A>(body: () => A): A => {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return body()
  } finally {
    process.emitWarning = emitWarning
  }
}

const relink = (name: string, text: string): string =>
  text
    .replace(/(["'])(\.{1,2}\/[^"']+)\.ts\1/g, "$1$2.js$1")
    .replace(
      /(["'])@fiberscope\/core\/(\w+)\1/g,
      (_, quote: string, module: string) =>
        `${quote}${basename(dirname(name)) === "agent" ? "../core/" : "./"}${module}.js${quote}`
    )
