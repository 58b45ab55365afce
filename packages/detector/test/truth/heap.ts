/**
 * `pnpm run truth:heap`: two heap snapshots of each leaking program of the corpus, which runs without the detector, and whether the path that
 * grew the most leads through what keeps the leak.
 *
 * Options: `--only name`, `--jobs n`, `--at 10,24` (seconds), `--json file`.
 */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { HeapPath } from "../../src/agent/Protocol.ts"
import { compareSnapshots } from "../../src/heap/compareSnapshots.ts"
import { pathBounds } from "../../src/heap/effect/PathBounds.ts"
import { resolveSteps } from "../../src/places/HeapPathPlaces.ts"
import { describePath } from "../../src/places/HeapPathText.ts"
import { keepers } from "../corpus/keepers.ts"
import { programs } from "../corpus/manifest.ts"
import type { Program } from "../corpus/manifest.ts"

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    jobs: { type: "string", default: "4" },
    at: { type: "string", default: "10,24" },
    json: { type: "string" }
  }
})

const corpus = fileURLToPath(new URL("../corpus/", import.meta.url))
const load = fileURLToPath(new URL("../fixtures/heap/at-times.mjs", import.meta.url))
const times = values.at.split(",").map(Number)

interface Result {
  readonly name: string
  /** The position of the first path that leads through a keeper; 0 if none does. */
  readonly position: number
  readonly paths: ReadonlyArray<string>
}

/** The names on a path, also those that a person is not shown. */
const allNames = ({ steps }: HeapPath): ReadonlyArray<string> => steps.flatMap(({ edge, node }) => [edge, node])

const textOf = ({ counts, steps }: HeapPath): string => {
  const resolved = resolveSteps(steps, { resolve: (place) => place, declaration: () => undefined })
  return `${describePath({ steps: resolved }).names.join(" → ")} (${counts.join(" → ")})`
}

const judge = async ({ file, name }: Program): Promise<Result> => {
  const folder = mkdtempSync(join(tmpdir(), "fiberscope-truth-heap-"))
  try {
    const snapshots = times.map((seconds, i) => [seconds, join(folder, `${i}.heapsnapshot`)] as const)
    const child = spawn(process.execPath, ["--import", load, join(corpus, file)], {
      stdio: "ignore",
      env: { ...process.env, CORPUS_SECONDS: "60", HEAP_SNAPSHOTS: JSON.stringify(snapshots) }
    })
    await once(child, "exit")
    const files = snapshots.map(([, path]) => path).filter((path) => existsSync(path))
    if (files.length < times.length) return { name, position: 0, paths: ["it left no snapshots"] }
    const { paths } = await Effect.runPromise(compareSnapshots(files, { bounds: pathBounds }))
    const unbounded = paths.filter(({ bound }) => bound === undefined)
    const position = unbounded.findIndex((path) => allNames(path).some((one) => keepers[name]!.includes(one))) + 1
    return { name, position, paths: unbounded.slice(0, 3).map(textOf) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const chosen = programs.filter(({ name }) =>
  (keepers[name] ?? []).length > 0 && (values.only === undefined || name.includes(values.only))
)
const results: Array<Result> = []
let next = 0
const work = async (): Promise<void> => {
  for (let program = chosen[next++]; program !== undefined; program = chosen[next++]) {
    results.push(await judge(program))
    process.stderr.write(`\r${results.length} of ${chosen.length} `)
  }
}
await Promise.all(Array.from({ length: Number(values.jobs) }, work))
process.stderr.write("\r\u001b[K")
const right = (most: number) => results.filter(({ position }) => position > 0 && position <= most).length
console.log(
  `keeper on the path that grew the most: ${right(1)} of ${results.length}, on one of the first two: ${right(2)}`
)
for (const { name, paths, position } of results.filter(({ position }) => position !== 1)) {
  console.log(`  ${name.padEnd(28)} ${position === 0 ? "not found" : `at ${position}`}  ${paths.join("; ")}`)
}
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, undefined, 2))
