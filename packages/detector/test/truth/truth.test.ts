/** A few programs of the corpus, so that no change forgets what it is all for; `pnpm run truth` runs all of them, for longer. */
import { assert, describe, it } from "@effect/vitest"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { isLeak } from "../../src/Finding.ts"
import { programs } from "../corpus/manifest.ts"
import { fiberscope } from "../support/Fiberscope.ts"

/** Fibers, memory, its clean twin, and fibers that are collected; `replay.test.ts` judges all programs from their recordings. */
const runs: ReadonlyArray<readonly [name: string, seconds: number]> = [
  ["webhook-retries/leak", 27],
  ["price-quotes/leak", 27],
  ["price-quotes/clean", 27],
  ["orphan-leases/leak", 27]
]

describe.concurrent("the corpus", { timeout: 120_000 }, () => {
  it.for(runs)("%s in %d s", async ([name, seconds]) => {
    const program = programs.find((one) => one.name === name)!
    const file = fileURLToPath(new URL(`../corpus/${program.file}`, import.meta.url))
    const run = await fiberscope([process.execPath, file], {
      flags: ["--for", `${seconds}s`],
      env: { CORPUS_SECONDS: String(seconds) }
    })
    const [finding] = run.report!.findings.filter(isLeak)
    if (program.expected === "ok") {
      assert.isUndefined(finding, run.stderr)
      return
    }
    assert.strictEqual(run.report!.verdict, "leak", run.stderr)
    const { file: guiltyFile, lines, names } = program.guilty!
    const { file: foundFile, line = 0, name: found } = finding!.site
    const onLine = foundFile?.endsWith(guiltyFile) === true && lines.some(([from, to]) => line >= from && line <= to)
    assert.isTrue(names.includes(found) || onLine, JSON.stringify(finding!.site))
  })
})
