/**
 * The oracle of the corpus: measures, with means of its own, whether the programs do what the manifest says of them.
 * It is no detector: it forces collections, looks into every fiber, and knows when the program is going to end.
 *
 *     node oracle.mjs [--seconds 30] [--jobs 2] [--json results.json] [part of a name …]
 *
 * Each program runs with `--expose-gc` and this very file as a preload, which patches `FiberImpl.prototype.evaluate` to
 * see every fiber once, and at a tenth, a half, three quarters and the end of the run forces two collections and reports
 *
 * - heap and external memory in use,
 * - live fibers: started, not ended, still reachable through a WeakRef,
 * - abandoned fibers: started, not ended, collected.
 *
 * What still rises between a half and three quarters, and again between three quarters and the end, leaks: a program is
 * called a leak from 25 KB/s of memory, or half a fiber a second, live (and more than chance) or abandoned. In so short a
 * run a healthy program still gains up to 20 KB/s, which code and feedback of V8 take while it gets warm; run it for 60 s
 * in case of doubt. The slow programs of the corpus are below that by design, and are listed, not judged.
 *
 * It also checks what the manifest promises: a start within 1.5 s, less than a quarter of a core, less than 400 MB, and
 * exit code 0. The start is the CPU time until the first fiber, which does not depend on who else uses the machine.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { setImmediate as turn } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const here = fileURLToPath(import.meta.url)

const cpuMillis = () => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

/** In the observed process: sees fibers, samples at the times it was told, and sends each sample to its parent. */
const observe = async () => {
  const { Effect } = await import("effect")
  const prototype = Object.getPrototypeOf(Effect.runFork(Effect.void))
  const evaluate = prototype.evaluate
  const seen = new WeakSet()
  const over = new WeakSet()
  const live = new Set()
  let started = 0
  let ended = 0
  let startup

  prototype.evaluate = function(effect) {
    if (!seen.has(this)) {
      seen.add(this)
      live.add(new WeakRef(this))
      started++
      startup ??= cpuMillis()
    }
    const result = evaluate.call(this, effect)
    // It may have called itself, and the inner call have counted the end already.
    if (this._exit !== undefined && !over.has(this)) {
      over.add(this)
      ended++
    }
    return result
  }

  const sample = async (at) => {
    globalThis.gc()
    // A WeakRef that was made or read keeps its target until the turn is over.
    await turn()
    await turn()
    let reachable = 0
    for (const reference of live) {
      const fiber = reference.deref()
      if (fiber === undefined || fiber._exit !== undefined) live.delete(reference)
      else reachable++
    }
    // The second collection also takes away what this sample itself has left behind.
    await turn()
    globalThis.gc()
    const { external, heapUsed } = process.memoryUsage()
    process.send({
      at,
      seconds: performance.now() / 1000,
      heap: heapUsed,
      external,
      started,
      live: reachable,
      abandoned: started - ended - reachable,
      resources: process.getActiveResourcesInfo().length,
      startup,
      cpu: cpuMillis() / 1000,
      rss: process.resourceUsage().maxRSS * 1024
    })
  }

  const seconds = Number(process.env["CORPUS_SECONDS"] ?? 30)
  for (const at of [0.1, 0.25, 0.5, 0.75, 1]) setTimeout(sample, at * seconds * 1000, at).unref()
  process.channel.unref()
}

const run = async (program, seconds) => {
  const file = fileURLToPath(new URL(program.file, import.meta.url))
  const child = spawn(process.execPath, ["--expose-gc", "--import", here, file], {
    env: { ...process.env, CORPUS_SECONDS: String(seconds), CORPUS_ORACLE: "observe" },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    timeout: (seconds + 20) * 1000
  })
  const samples = []
  let output = ""
  child.on("message", (sample) => samples.push(sample))
  child.stdout.on("data", (text) => output += text)
  child.stderr.on("data", (text) => output += text)
  const [code] = await once(child, "close")
  return { program, code, samples, output }
}

const growth = (later, earlier) => {
  const time = later.seconds - earlier.seconds
  return {
    bytes: (later.heap + later.external - earlier.heap - earlier.external) / time,
    live: (later.live - earlier.live) / time,
    abandoned: (later.abandoned - earlier.abandoned) / time
  }
}

const judge = ({ code, output, program, samples }) => {
  const at = (part) => samples.find((sample) => sample.at === part)
  if (code !== 0 || at(1) === undefined || output !== "") {
    return { name: program.name, agrees: false, problems: [`exit code ${code}, printed: ${output.slice(0, 500)}`] }
  }
  const [third, fourth] = [growth(at(0.75), at(0.5)), growth(at(1), at(0.75))]
  const both = (name) => Math.min(third[name], fourth[name])
  // A number of fibers that come and go by chance has a standard deviation of its square root.
  const chance = 2 * Math.sqrt(at(1).live)
  const moreFibers = at(0.75).live - at(0.5).live > chance && at(1).live - at(0.75).live > chance
  const leaks = both("bytes") >= 25 * 1024 || moreFibers && both("live") >= 0.5 || both("abandoned") >= 0.5
  const last = at(1)
  const cpu = last.cpu / last.seconds
  const problems = [
    last.startup < 1500 ? "" : `starts after ${last.startup.toFixed(0)} ms`,
    cpu < 0.25 ? "" : `takes ${(cpu * 100).toFixed(0)} % of a core`,
    last.rss < 400 * 2 ** 20 ? "" : `takes ${(last.rss / 2 ** 20).toFixed(0)} MB`,
    program.slow || leaks === (program.expected === "leak") ? "" : `expected ${program.expected}`
  ].filter((problem) => problem !== "")
  const late = growth(last, at(0.5))
  return {
    name: program.name,
    expected: program.slow ? "undecided" : program.expected,
    verdict: leaks ? "leak" : "ok",
    agrees: problems.length === 0,
    problems,
    kilobytesPerSecond: Math.round(late.bytes / 1024),
    livePerSecond: Number(late.live.toFixed(1)),
    abandonedPerSecond: Number(late.abandoned.toFixed(1)),
    heapMegabytes: samples.map(({ heap }) => Number((heap / 2 ** 20).toFixed(1))),
    live: samples.map(({ live }) => live),
    startup: Math.round(last.startup),
    cpu: Math.round(cpu * 100),
    rss: Math.round(last.rss / 2 ** 20)
  }
}

const main = async () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "30" },
      jobs: { type: "string", default: "2" },
      json: { type: "string" }
    }
  })
  const { programs } = await import("./manifest.ts")
  const chosen = programs.filter(({ name }) =>
    positionals.length === 0 || positionals.some((part) => name.includes(part))
  )
  const waiting = [...chosen]
  const results = []
  console.log(
    "agrees  expected   verdict     KB/s  live/s  abandoned/s  start  cpu  rss MB  heap MB, live fibers: program"
  )
  const worker = async () => {
    for (let program = waiting.shift(); program !== undefined; program = waiting.shift()) {
      const result = judge(await run(program, Number(values.seconds)))
      results.push(result)
      console.log(
        (result.agrees ? "yes" : "NO").padEnd(7),
        String(result.expected).padEnd(10),
        String(result.verdict).padEnd(8),
        String(result.kilobytesPerSecond).padStart(7),
        String(result.livePerSecond).padStart(7),
        String(result.abandonedPerSecond).padStart(12),
        String(result.startup).padStart(6),
        `${result.cpu} %`.padStart(4),
        String(result.rss).padStart(7),
        ` ${result.heapMegabytes?.join(" ")}, ${result.live?.join(" ")}: ${result.name}`,
        result.problems.join("; ")
      )
    }
  }
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker))
  const wrong = results.filter(({ agrees }) => !agrees)
  console.log(`${results.length} programs, ${results.length - wrong.length} as the manifest says`)
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 2))
  process.exitCode = wrong.length === 0 && results.length > 0 ? 0 : 1
}

await (process.env["CORPUS_ORACLE"] === "observe" ? observe() : main())
