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
    projects: [project("core"), project("detector"), project("examples")]
  }
})
