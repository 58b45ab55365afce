/**
 * The interruption lab over Effect's own primitives: `pnpm run lab:effect [--effect <version>]`.
 *
 * A version other than that of the workspace is installed in a temporary folder, with copies of the lab and of its cases beside it,
 * so that all of them import that version.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"

const root = resolve(import.meta.dirname, "..")
const cases = "packages/core/test/testing/primitives"
const manifest = (file: string): { readonly version: string } => JSON.parse(readFileSync(file, "utf8"))
const own = manifest(join(root, "packages/core/node_modules/effect/package.json")).version

const run = (folder: string, version: string): number =>
  spawnSync(process.execPath, [join(folder, cases, "run.ts"), version], { cwd: folder, stdio: "inherit" }).status ?? 1

const { values } = parseArgs({ options: { effect: { type: "string", default: own } } })

if (values.effect === own) {
  process.exitCode = run(root, own)
} else {
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-lab-"))
  try {
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--silent", `effect@${values.effect}`], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"]
    })
    mkdirSync(join(folder, cases), { recursive: true })
    cpSync(join(root, "packages/core/src"), join(folder, "packages/core/src"), { recursive: true })
    cpSync(join(root, cases), join(folder, cases), { recursive: true })
    process.exitCode = run(folder, manifest(join(folder, "node_modules/effect/package.json")).version)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
