// Compiles and runs every ```ts block of the doc comments and of the documentation, so that no example can go stale.
//
// - The block must compile on its own, run to its end within a time limit, and neither throw nor leave a failing exit code.
// - A block that imports `@effect/vitest` is run by vitest. A block fenced as "```ts no-run <reason>" is compiled only.
// - Lines are kept, so what the compiler or a stack trace says is translated back to the place where the example stands.
//
// `node scripts/doctest.mjs [part of a path ...]` takes only the files whose path contains one of these.
import { fork } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { compiler, root, run, script } from "./steps.mjs"

const timeout = 20_000
const sources = ["packages/*/src/**/*.ts", "README.md", "packages/*/README.md", "docs/**/*.md"]
// Inside the examples package, where every package of the workspace resolves as it does for a user.
// A folder for each run: two at a time would take away each other's files.
const folder = join(root, `packages/examples/.tmp/doctest-${process.pid}`)
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))

/** The blocks of one file: where each begins, its code, and why it is not to be run. */
const blocksOf = (file) => {
  const blocks = []
  let block
  for (const [index, line] of readFileSync(join(root, file), "utf8").split("\n").entries()) {
    const [, text = ""] = file.endsWith(".ts") ? /^\s*\* ?(.*)$/.exec(line) ?? [] : [undefined, line]
    const fence = /^\s*```(\S*) *(.*?)\s*$/.exec(text)
    if (block !== undefined && fence !== null) {
      if (block.kept) blocks.push(block)
      block = undefined
    } else if (block !== undefined) block.lines.push(text)
    else if (fence !== null) block = { file, line: index + 1, info: fence[2], kept: fence[1] === "ts", lines: [] }
  }
  return blocks.map((found) => ({
    ...found,
    skip: /^no-run\b/.test(found.info),
    test: found.lines.some((line) => /from "@effect\/vitest"/.test(line)),
    failures: []
  }))
}

/** The code of a block, with the modules beside its file named as they are from the folder in which it runs. */
const fromHere = ({ file, lines }) =>
  lines.join("\n").replaceAll(/(from ")(\.{1,2}\/[^"]+)(")/g, (_, before, path, after) => {
    const target = relative(folder, join(root, dirname(file), path))
    return `${before}${target}${after}`
  })

const wanted = process.argv.slice(2)
const blocks = globSync(sources, { cwd: root })
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
  .flatMap(blocksOf)

mkdirSync(folder, { recursive: true })
const byName = new Map()
for (const block of blocks) {
  const name = `${block.file.replace(/^packages\//, "").replace(/\.\w+$/, "").replaceAll(/[\\/]/g, "-")}-${block.line}`
  block.name = `${name}${block.test ? ".test" : ""}.ts`
  byName.set(block.name, block)
  writeFileSync(join(folder, block.name), `${fromHere(block)}\nexport {}\n`)
  if (block.info !== "" && !/^no-run \S/.test(block.info)) {
    block.failures.push(`after \`\`\`ts comes nothing, or "no-run" with its reason; found "${block.info}"`)
  }
}

/** Puts the place in the documentation where a message names the generated file. */
const translate = (text) =>
  text.replaceAll(/(?:file:\/\/)?[^\s("']*?([\w.@-]+\.ts)(?:\((\d+),(\d+)\)|:(\d+):(\d+))/g, (whole, name, ...at) => {
    const block = byName.get(name)
    const [line, column] = at.filter((part) => part !== undefined)
    return block === undefined ? whole : `${block.file}:${block.line + Number(line)}:${column}`
  })

const compile = async () => {
  const config = {
    extends: "../../../../tsconfig.base.json",
    compilerOptions: {
      noEmit: true,
      allowImportingTsExtensions: true,
      rewriteRelativeImportExtensions: false,
      noUnusedLocals: false,
      tsBuildInfoFile: "./tsconfig.tsbuildinfo",
      // An example may print its result with console.log.
      plugins: [{ name: "@effect/language-service", diagnosticSeverity: { globalConsoleInEffect: "off" } }]
    },
    include: ["."],
    references: ["core", "detector"].map((name) => ({ path: `../../../${name}` }))
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  const { code, output } = await run(compiler(), ["-b", folder, "--pretty", "false"])
  let current
  let unplaced = code === 0 ? "" : output
  // A message goes on in indented lines; those belong to the block of the line above them.
  for (const line of output.split("\n")) {
    if (!/^\s/.test(line)) current = byName.get(/([\w.@-]+\.ts)\(\d+,\d+\): error /.exec(line)?.[1])
    if (current === undefined) continue
    unplaced = ""
    if (/^\s/.test(line)) current.failures[current.failures.length - 1] += `\n${line}`
    else current.failures.push(translate(line))
  }
  return unplaced
}

/** Runs blocks one after the other in processes of `doctest-host.mjs`; one that hangs or exits costs its process. */
const execute = async (queue) => {
  for (let block = queue.shift(); block !== undefined;) {
    const host = fork(join(root, "scripts/doctest-host.mjs"), { cwd: folder, silent: true })
    await new Promise((ended) => {
      let timer
      let output
      const next = () => {
        output = ""
        timer = setTimeout(() => {
          block.failures.push(`still running after ${timeout / 1000} s`)
          host.kill("SIGKILL")
        }, timeout)
        host.send(join(folder, block.name))
      }
      for (const stream of [host.stdout, host.stderr]) stream.setEncoding("utf8").on("data", (text) => output += text)
      host.on("message", (failure) => {
        clearTimeout(timer)
        if (failure !== null) block.failures.push(translate(`${failure}\n${output}`.trimEnd()))
        block = queue.shift()
        if (block === undefined) host.kill("SIGKILL")
        else next()
      })
      host.on("exit", (code) => {
        clearTimeout(timer)
        // Here a block has ended its process itself, as a program with `runMain` does, or it was killed for its time.
        if (block !== undefined) {
          if (code !== null && code !== 0) block.failures.push(translate(`exit code ${code}\n${output}`.trimEnd()))
          else if (code === null && block.failures.length === 0) block.failures.push("killed by a signal")
          block = queue.shift()
        }
        ended()
      })
      next()
    })
  }
}

const executeTests = async (tests) => {
  if (tests.length === 0) return
  const report = join(folder, "vitest.json")
  const args = [script("vitest"), "run", "--root", folder, "--reporter=json", `--outputFile=${report}`]
  const { code, output } = await run(process.execPath, args)
  const files = code === 0 ? [] : JSON.parse(readFileSync(report, "utf8")).testResults
  for (const file of files) {
    const failed = file.assertionResults.flatMap((test) => test.failureMessages)
    if (file.status !== "passed") {
      byName.get(file.name.split("/").at(-1)).failures.push(translate([file.message, ...failed].join("\n")))
    }
  }
  if (code !== 0 && tests.every((block) => block.failures.length === 0)) tests[0].failures.push(translate(output))
}

const unplaced = await compile()
const runnable = blocks.filter((block) => !block.skip && block.failures.length === 0)
const queue = runnable.filter((block) => !block.test)
await Promise.all([execute(queue), execute(queue)])
await executeTests(runnable.filter((block) => block.test))

const failed = blocks.filter((block) => block.failures.length > 0)
for (const { failures, file, line } of failed) {
  console.log(`${file}:${line}\n  ${failures.join("\n").replaceAll("\n", "\n  ")}\n`)
}
if (unplaced !== "") console.log(unplaced)
const compiledOnly = blocks.filter((block) => block.skip).length
console.log(`${blocks.length} examples, ${compiledOnly} of them compiled only, ${failed.length} failed`)
process.exitCode = failed.length > 0 || unplaced !== "" ? 1 : 0
