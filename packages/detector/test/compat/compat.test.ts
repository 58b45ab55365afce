/** Versions of effect whose fibers have another shape than those of the installed one; `pnpm run compat` tries all. */
import { assert, describe, it } from "@effect/vitest"
import { fileURLToPath } from "node:url"
import { observe } from "./observe.ts"

describe.concurrent("effect", { timeout: 120_000 }, () => {
  it.each([
    ["4.0.0-beta.35", "effect-beta35"],
    ["4.0.0-rc.111", "effect-rc111"],
    ["4.0.6", "effect-4.0"]
  ])("%s is supported, and its programs are left as they are", async (version, name) => {
    const { detail, ...rest } = await observe(fileURLToPath(import.meta.resolve(name)))
    assert.deepStrictEqual(rest, { version, result: "supported" }, detail)
  })
})
