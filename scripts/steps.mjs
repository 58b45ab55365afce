// Runs the steps of a gate and tells one line for each. A step is silent when it passes and shows all its output when it fails.
import { execFileSync, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { delimiter, dirname, join, resolve } from "node:path"

export const root = resolve(import.meta.dirname, "..")

// The Node that runs the gate runs every tool and test of it, so that any Node can be put to the test.
const path = [dirname(process.execPath), join(root, "node_modules/.bin"), process.env.PATH].join(delimiter)

/** The entry of a tool that is written in JavaScript; its shim in `.bin` would choose the Node beside it. */
export const script = (tool, bin = tool) => {
  const home = join(root, "node_modules", tool)
  const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8"))
  return join(home, typeof manifest.bin === "string" ? manifest.bin : manifest.bin[bin])
}

/** TypeScript's own compiler, built with Effect's diagnostics: one pass gives both. */
export const compiler = () =>
  execFileSync(process.execPath, [script("@effect/tsgo", "effect-tsgo"), "get-exe-path"], {
    cwd: root,
    encoding: "utf8"
  }).trim()

const running = new Set()
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => {
    for (const child of running) child.kill(signal)
    process.kill(process.pid, signal)
  })
}

/** Runs a command; its result is its exit code (signals count as 1), its output and its time in seconds. */
export const run = (command, args, options = {}) =>
  new Promise((done) => {
    const start = performance.now()
    const child = spawn(command, args, { cwd: root, ...options, env: { ...process.env, PATH: path, ...options.env } })
    running.add(child)
    let output = ""
    const keep = (chunk) => output += chunk
    child.stdout?.setEncoding("utf8").on("data", keep)
    child.stderr?.setEncoding("utf8").on("data", keep)
    const end = (code) =>
      running.delete(child) && done({ code: code ?? 1, output, seconds: (performance.now() - start) / 1000 })
    child.on("error", (error) => {
      output += error
      end(1)
    })
    child.on("close", end)
  })

/** Runs one step and prints its line; true when it passed. */
export const step = async (name, command, args, options) => {
  const { code, output, seconds } = await run(command, args, options)
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${name.padEnd(16)} ${seconds.toFixed(1)} s`)
  if (code !== 0) console.log(output.trimEnd() || `${name} ended with ${code} and without a word`)
  return code === 0
}
