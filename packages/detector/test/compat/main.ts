/**
 * `pnpm run compat`: installs versions of effect into temporary folders, and runs a program with each, alone and under the tool.
 *
 * Versions may be named as arguments. A version that harms the program, or is silently not seen, makes the exit code 1.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { observe } from "./observe.ts"

/** From the first that is supported to the newest: a dozen betas, every release candidate on npm, the first and last 4.0, and 4.1. */
const betas = [35, 43, 51, 59, 66, 74, 78, 84, 91, 97, 101, 105, 107].map((n) => `4.0.0-beta.${n}`)
const candidates = [110, 111, 112, 113, 114, 115, 116, 117, 118].map((n) => `4.0.0-rc.${n}`)
const versions = [...betas, ...candidates, "4.0.0", "4.0.6", "4.1.0"]

const chosen = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), "fiberscope-compat-"))
let failed = 0
try {
  for (const version of chosen.length > 0 ? chosen : versions) {
    const home = join(folder, version)
    mkdirSync(home)
    writeFileSync(join(home, "package.json"), JSON.stringify({ private: true, dependencies: { effect: version } }))
    const npm = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    const install = spawnSync("npm", npm, { cwd: home, encoding: "utf8" })
    if (install.status !== 0) {
      failed++
      console.log(`effect ${version.padEnd(16)} could not be installed: ${install.stderr.trim()}`)
      continue
    }
    const { detail, result } = await observe(join(home, "node_modules/effect/dist/index.js"))
    if (result === "harmed" || result === "unseen") failed++
    console.log(`effect ${version.padEnd(16)} ${result}${detail === "" ? "" : `: ${detail}`}`)
    rmSync(home, { recursive: true, force: true })
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failed === 0 ? 0 : 1
