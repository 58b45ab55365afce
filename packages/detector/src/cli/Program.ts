/** The observed program as a process: it is started with the agent, receives signals, and is stopped when its time is over. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import process from "node:process"
import { isatty } from "node:tty"

/** The program cannot be started. `exitCode` is the one that a shell would give: 127 not found, 126 not executable. */
export class ProgramError extends Data.TaggedError("ProgramError")<{
  readonly message: string
  readonly exitCode: 125 | 126 | 127
}> {}

/** The end of a program: by itself with a code, or by a signal. */
export interface ProgramExit {
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
}

export interface Program {
  readonly pid: number
  readonly exit: Effect.Effect<ProgramExit>
  readonly kill: (signal: NodeJS.Signals) => void
  /** The last signal that this process received and passed on. */
  readonly passedOn: () => NodeJS.Signals | undefined
}

const forwarded: ReadonlyArray<NodeJS.Signals> = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR2",
  "SIGWINCH",
  "SIGCONT"
]

/** Starts the program with the input and output of this process. If the scope ends first, the program is killed. */
export const start = (
  command: readonly [string, ...Array<string>],
  env: Readonly<Record<string, string>>,
  /** Called when a signal asks the program to end. */
  ending: () => void
): Effect.Effect<Program, ProgramError, Scope.Scope> =>
  Effect.gen(function*() {
    const child = yield* Effect.acquireRelease(spawned(command, env), (running) =>
      Effect.sync(() => {
        if (running.exitCode === null && running.signalCode === null) running.kill("SIGKILL")
      }))
    let exit: ProgramExit | undefined
    const waiting = new Set<(exit: ProgramExit) => void>()
    child.once("exit", (code, signal) => {
      exit = { code: code ?? undefined, signal: signal ?? undefined }
      for (const done of waiting) done(exit)
    })
    const passedOn = yield* passOnSignals(child, ending)
    return {
      pid: child.pid!,
      exit: Effect.callback<ProgramExit>((resume) => {
        if (exit !== undefined) return resume(Effect.succeed(exit))
        const done = (value: ProgramExit) => resume(Effect.succeed(value))
        waiting.add(done)
        return Effect.sync(() => waiting.delete(done))
      }),
      kill: (signal) => void child.kill(signal),
      passedOn
    }
  })

const spawned = (
  [file, ...args]: readonly [string, ...Array<string>],
  env: Readonly<Record<string, string>>
): Effect.Effect<ChildProcess, ProgramError> =>
  Effect.callback((resume) => {
    const child = spawn(file, args, { stdio: "inherit", env: { ...process.env, ...env } })
    child.once("spawn", () => resume(Effect.succeed(child)))
    child.once("error", (error: NodeJS.ErrnoException) => {
      resume(Effect.fail(
        error.code === "ENOENT"
          ? new ProgramError({ message: `${file}: command not found`, exitCode: 127 })
          : error.code === "EACCES"
          ? new ProgramError({ message: `${file}: not executable`, exitCode: 126 })
          : new ProgramError({ message: `${file}: ${error.message}`, exitCode: 125 })
      ))
    })
  })

const passOnSignals = (
  child: ChildProcess,
  ending: () => void
): Effect.Effect<() => NodeJS.Signals | undefined, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        let last: NodeJS.Signals | undefined
        let interrupts = 0
        // A terminal sends Ctrl-C to the whole group, so the program has it already. Many programs read a second one as "end at once".
        const terminal = [0, 1, 2].some((fd) => isatty(fd))
        const listeners = forwarded.map((signal) => {
          const listener = () => {
            if (signal !== "SIGWINCH" && signal !== "SIGCONT" && signal !== "SIGUSR2") {
              last = signal
              ending()
              // The program handles the first two. The third Ctrl-C kills it.
              if (signal === "SIGINT" && ++interrupts >= 3) child.kill("SIGKILL")
            }
            if (!(terminal && (signal === "SIGINT" || signal === "SIGQUIT" || signal === "SIGWINCH"))) {
              child.kill(signal)
            }
          }
          process.on(signal, listener)
          return [signal, listener] as const
        })
        return { last: () => last, listeners }
      }),
      ({ listeners }) => Effect.sync(() => listeners.forEach(([signal, listener]) => process.off(signal, listener)))
    ),
    ({ last }) => last
  )
