import { defineConfig } from "vitest/config"

const project = (name: string) => ({
  extends: true as const,
  root: `packages/${name}`,
  test: { name, include: ["test/**/*.test.ts"] }
})

export default defineConfig({
  test: {
    passWithNoTests: true,
    projects: [project("core"), project("detector"), project("examples")]
  }
})
