/** Runs a program of the suite once: plain, under Fiberscope, or with the witness, always under the same traffic. */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import type { Report } from "../../src/report/Report.ts"
import type { Behaviour, Ending } from "./compare.ts"
import { environment } from "./install.ts"
import type { Answer, End, Program, Running } from "./Program.ts"
import { kill, started } from "./started.ts"

export type Mode = "plain" | "observed" | "witness"

export interface Run extends Behaviour {
  readonly errors: string
  readonly report: Report | undefined
  readonly seconds: number
}

const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
const witness = fileURLToPath(new URL("witness.mjs", import.meta.url))

/** How long a program may take to be ready, and to end, before it is killed. */
const patienceMs = 30_000

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

const listens = async (port: number): Promise<boolean> => {
  const socket = connect(port, "127.0.0.1")
  try {
    await once(socket, "connect")
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

const commandOf = (mode: Mode, command: ReadonlyArray<string>, base: string): ReadonlyArray<string> =>
  mode === "observed"
    ? [process.execPath, cli, "run", "--json", `${base}.json`, "--record", `${base}.ndjson`, "--", ...command]
    : command

export const run = async (options: {
  readonly program: Program
  readonly mode: Mode
  readonly folder: string
  /** Where the files of this run go, without what their names end with. */
  readonly base: string
  readonly seconds: number
}): Promise<Run> => {
  const { base, folder, mode, program, seconds } = options
  const port = await freePort()
  const peer = await program.peer?.(folder)
  const [command, ...args] = commandOf(mode, program.start(folder), base)
  const child = started(spawn(command!, args, {
    cwd: join(folder, program.cwd ?? "."),
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      ...environment(folder),
      PORT: String(port),
      ...program.env?.(folder),
      ...peer?.env,
      ...(mode === "witness" ? { NODE_OPTIONS: `--import=${witness}`, FIELD_WITNESS: `${base}.witness` } : {}),
      ...(mode === "witness" ? { FIELD_SECONDS: String(seconds) } : {})
    }
  }))
  let output = ""
  let errors = ""
  child.stdout!.on("data", (chunk: Buffer) => (output += chunk.toString()))
  child.stderr!.on("data", (chunk: Buffer) => (errors += chunk.toString()))
  child.stdin!.on("error", () => undefined)
  let gone = false
  const ended = once(child, "close").then(([code, signal]) => {
    gone = true
    return { code: code as number | null, signal: signal as NodeJS.Signals | null }
  })
  child.on("error", () => (gone = true))

  const until = async (is: () => boolean | Promise<boolean>, ms: number): Promise<boolean> => {
    const deadline = Date.now() + ms
    while (Date.now() < deadline && !gone) {
      if (await is()) return true
      await sleep(50)
    }
    return is()
  }
  const answers: Array<Answer> = []
  const driven: Running = {
    port,
    folder,
    seconds,
    record: (request, answer) => answers.push({ request, answer }),
    write: (text) => child.stdin!.write(text),
    endInput: () => child.stdin!.end(),
    output: () => output,
    until: (is, ms) => until(() => is(output), ms),
    pace: async (count, perSecond, work) => {
      const start = Date.now()
      for (let i = 0; i < count && !gone; i++) {
        await sleep(Math.max(0, start + i * 1000 / perSecond - Date.now()))
        if (!gone) await work(i)
      }
    }
  }

  try {
    const { ready: when } = program
    const ready = when === undefined || await until(
      () => when === "port" ? listens(port) : when.test(output) || when.test(errors),
      patienceMs
    )
    const start = Date.now()
    if (ready) {
      await program.traffic?.(driven)
      await peer?.drive?.(driven)
    }
    const ending = await endOf(child, ended, program.end, start + seconds * 1000, () => gone)
    return {
      ready,
      output,
      errors,
      answers: [...answers, ...peer?.answers() ?? []],
      ...outcome(mode, ending, base),
      seconds: (Date.now() - start) / 1000
    }
  } finally {
    kill(child)
    await peer?.close()
  }
}

interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Waits for the time of the run to be over, ends the program, and waits for that. */
const endOf = async (
  child: ChildProcess,
  ended: Promise<Exit>,
  end: End,
  at: number,
  gone: () => boolean
): Promise<Ending> => {
  const patience = end === "itself" ? patienceMs : 0
  while (!gone() && Date.now() < at + patience) await sleep(50)
  const from = Date.now()
  if (!gone()) child.kill(end === "itself" ? "SIGTERM" : end)
  const killing = setTimeout(() => kill(child), patienceMs)
  const { code, signal } = await ended
  clearTimeout(killing)
  return { code: code ?? undefined, signal: signal ?? undefined, ms: Date.now() - from }
}

/** Under the tool, the report says how the program ended; the exit code of the tool is the verdict. */
const outcome = (
  mode: Mode,
  ending: Ending,
  base: string
): { readonly ending: Ending; readonly report: Report | undefined } => {
  if (mode !== "observed" || !existsSync(`${base}.json`)) return { ending, report: undefined }
  const report = JSON.parse(readFileSync(`${base}.json`, "utf8")) as Report
  return { ending: { code: report.program.code, signal: report.program.signal, ms: ending.ms }, report }
}
