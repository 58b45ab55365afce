// The whole gate, behind `npm test`: the checks, the tests, the examples of the documentation and the packed packages.
// Its last line counts every test, and every other step as one.
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { check } from "./check.mjs"
import { packages } from "./packages.mjs"
import { root, run, script, step } from "./steps.mjs"

/** Runs the tests in full view. A file that could not be loaded, and a crash, is one failure. */
const unit = async () => {
  const report = join(root, ".tmp/vitest.json")
  rmSync(report, { force: true })
  // A snapshot that nobody has committed proves nothing, and a focused test hides the others.
  const strict = ["--update=none", "--allowOnly=false"]
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`]
  const args = [script("vitest"), "run", ...strict, ...reporters]
  const { code } = await run(process.execPath, args, { stdio: "inherit" })
  const counts = { passed: 0, failed: 0, skipped: 0 }
  try {
    for (const file of JSON.parse(readFileSync(report, "utf8")).testResults) {
      for (const { status } of file.assertionResults) {
        counts[status === "passed" || status === "failed" ? status : "skipped"]++
      }
      if (file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed")) counts.failed++
    }
  } catch (error) {
    console.log(`FAIL vitest left no readable report: ${error}`)
  }
  if (code !== 0 && counts.failed === 0) counts.failed++
  return counts
}

const steps = await check()
const tests = await unit()
steps.push(await step("examples in docs", process.execPath, [join(root, "scripts/doctest.mjs")]), ...await packages())

const passed = tests.passed + steps.filter((ok) => ok).length
const failed = tests.failed + steps.filter((ok) => !ok).length
console.log(`\n${steps.length} steps, ${tests.passed + tests.failed + tests.skipped} tests on Node ${process.version}`)
console.log(`${passed} passed, ${failed} failed${tests.skipped === 0 ? "" : `, ${tests.skipped} skipped`}`)
process.exitCode = failed === 0 ? 0 : 1
