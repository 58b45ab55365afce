import { defineConfig } from "vitest/config"

const project = (name: string) => ({
  extends: true as const,
  root: `packages/${name}`,
  test: { name, include: ["test/**/*.test.ts"] }
})

export default defineConfig({
  test: {
    passWithNoTests: true,
    // Nothing here waits for time to pass; a machine that is busy with other things must not make a test fail.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Many tests run real processes and send them real signals. Where the machine stands still for seconds in between, one may be
    // lost; a test that fails three times in a row is broken.
    retry: process.env["CI"] === undefined ? 0 : 2,
    projects: [project("core"), project("detector"), project("examples")]
  }
})
