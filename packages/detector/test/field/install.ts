/** Installs the programs of the suite from npm into a folder of their own; nothing of them is kept in this repository. */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import type { Edit, Folder, Program } from "./Program.ts"
import { started } from "./started.ts"

const starts = fileURLToPath(new URL("starts/", import.meta.url))

/** A text in which each `before` is replaced; one that is not there once means that the package is another than was looked at. */
export const edited = (text: string, edits: ReadonlyArray<Edit>): string =>
  edits.reduce((known, [before, after]) => {
    const times = known.split(before).length - 1
    if (times !== 1) throw new Error(`${JSON.stringify(before)} is there ${times} times, and once was expected`)
    return known.replace(before, () => after)
  }, text)

/** The environment of installations and programs: the Node that runs the suite comes first, and there is no home but the folder. */
export const environment = (folder: string): Record<string, string> => ({
  PATH: [join(folder, "bin"), dirname(process.execPath), process.env["PATH"] ?? ""].join(":"),
  HOME: join(folder, "home"),
  TMPDIR: join(folder, "tmp"),
  LANG: "C.UTF-8",
  NO_COLOR: "1",
  CI: "1",
  DO_NOT_TRACK: "1",
  npm_config_update_notifier: "false"
})

const access = (path: string): Folder => ({
  path,
  copy: (from, to, edits = {}) => {
    cpSync(join(path, "node_modules", from), join(path, to), { recursive: true })
    for (const [file, changes] of Object.entries(edits)) {
      const name = join(path, to, file)
      writeFileSync(name, edited(readFileSync(name, "utf8"), changes))
    }
  },
  write: (name, text, mode) => {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
    if (mode !== undefined) chmodSync(join(path, name), mode)
  },
  start: (name) => cpSync(join(starts, name), join(path, name)),
  run: (command, ...args) => {
    execFileSync(command, args, { cwd: path, env: environment(path), stdio: ["ignore", "ignore", "inherit"] })
  }
})

/** The environment of the installation: npm may use the configuration and the cache of the user, the programs may not. */
const npmEnvironment = (): Record<string, string | undefined> => ({
  ...process.env,
  PATH: [dirname(process.execPath), process.env["PATH"] ?? ""].join(":")
})

/** The folder of a program, installed unless a former run has left it there. */
export const install = async (program: Program, into: string): Promise<string> => {
  const path = join(into, program.name)
  const done = join(path, ".installed")
  const what = JSON.stringify([program.packages, program.overrides])
  for (const folder of ["home", "tmp", "bin"]) mkdirSync(join(path, folder), { recursive: true })
  if (!existsSync(done) || readFileSync(done, "utf8") !== what) {
    const manifest = {
      private: true,
      type: "module",
      scripts: { start: "node start.mjs" },
      overrides: program.overrides
    }
    writeFileSync(join(path, "package.json"), JSON.stringify(manifest))
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--save-exact"]
    const npm = started(
      spawn("npm", ["install", ...flags, ...program.packages], {
        cwd: path,
        detached: true,
        env: npmEnvironment(),
        stdio: ["ignore", "ignore", "inherit"]
      })
    )
    const [code] = await once(npm, "close") as [number | null]
    if (code !== 0) throw new Error(`npm install ended with ${code}`)
    writeFileSync(done, what)
  }
  program.prepare?.(access(path))
  return path
}
