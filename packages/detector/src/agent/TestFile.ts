/**
 * The test file that this process or thread runs now, as the test runner reports it.
 *
 * vitest keeps the file of a worker in a global, and `node --test` starts a process for each file. vitest kills a worker without an
 * event when its file is done, so the agent ticks more often in tests.
 */
import process from "node:process"

// Taken at load: a test may replace the environment.
const { NODE_TEST_CONTEXT, VITEST } = process.env
const [, script] = process.argv

/** Whether a test runner started this process. */
export const isInTests = NODE_TEST_CONTEXT !== undefined || VITEST !== undefined

/** The path or URL of the file; `undefined` outside of tests, and between two files. */
export const testFile = (): string | undefined => {
  if (!isInTests) return undefined
  const worker: unknown = (globalThis as { readonly __vitest_worker__?: unknown }).__vitest_worker__
  const file = typeof worker === "object" && worker !== null
    ? (worker as { readonly filepath?: unknown }).filepath
    : NODE_TEST_CONTEXT === undefined
    ? undefined
    : script
  return typeof file === "string" ? file : undefined
}
