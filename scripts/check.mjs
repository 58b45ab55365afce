// Everything that can be judged without running the code: format, types, lint, unused code, links, architecture,
// paths that pages name, prose. `pnpm run check`
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { compiler, root, script, step } from "./steps.mjs"

/** One result for each step: true when it passed. */
export const check = async () => [
  // The slowest first, and two at a time: two cores are what a small machine has.
  ...await Promise.all([
    step("types", compiler(), ["-b"]),
    step("unused code", process.execPath, [script("knip"), "--no-progress"])
  ]),
  ...await Promise.all([
    step("format", "dprint", ["check", "--list-different"]),
    step("lint", "oxlint", ["--deny-warnings"])
  ]),
  await step("links", process.execPath, [join(root, "scripts/links.mjs")]),
  await step("rules", process.execPath, [join(root, "scripts/rules.mjs"), "--check"]),
  await step("architecture", process.execPath, [join(root, "scripts/rooms.mjs"), "--check"]),
  await step("paths", process.execPath, [join(root, "scripts/agents.mjs")]),
  await step("prose", process.execPath, [join(root, "scripts/prose.mjs")])
]

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await check()
  process.exitCode = results.every((passed) => passed) ? 0 : 1
}
