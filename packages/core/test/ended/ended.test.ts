import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** Observes the program with the command line of the detector; its exit code is the verdict. */
const verdict = async (what: string): Promise<readonly [code: number, report: string]> => {
  const main = path("../../../detector/src/cli/main.ts")
  const child = spawn(process.execPath, [main, "run", "--strict", "--", process.execPath, path("program.ts"), what], {
    stdio: ["ignore", "pipe", "pipe"]
  })
  let report = ""
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => report += data)
  const [code] = await once(child, "exit")
  return [code, report]
}

// Each run takes 40 s: the detector reports no `ok` before 25 s.
describe.skipIf(process.env["FIBERSCOPE_SLOW"] === undefined)(
  "a million ended tasks, messages, leases and streams, observed by the detector",
  () => {
    for (const what of ["tasks", "messages", "batches", "leases", "streams"]) {
      it(`leaves the heap floor flat: ${what}`, async () => {
        const [code, report] = await verdict(what)
        assert.strictEqual(code, 0, report)
      }, 180_000)
    }

    it("detects retained tasks (control)", async () => {
      const [code, report] = await verdict("leak")
      assert.strictEqual(code, 23, report)
    }, 180_000)
  }
)
