/** Compares heap snapshots in a worker thread, so that the event loop of the program goes on. */
import * as Effect from "effect/Effect"
import { Worker } from "node:worker_threads"
import type { Comparison } from "../heap/compareSnapshots.ts"
import { SnapshotError } from "../heap/SnapshotError.ts"

/** The answer of the worker. */
export type Answer = { readonly comparison: Comparison } | { readonly error: string }

/** Compares two or more snapshots of a process, oldest first. The thread ends when it is interrupted. */
export const compareInWorker = (files: ReadonlyArray<string>): Effect.Effect<Comparison, SnapshotError> =>
  Effect.callback<Comparison, SnapshotError>((resume) => {
    const fail = (message: string): void => resume(Effect.fail(new SnapshotError({ message })))
    // The sources are TypeScript, and the files of a package are not.
    const file = new URL(`compareThread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)
    // Options of the program, such as an agent to load, are not for this thread.
    const worker = new Worker(file, { workerData: files, execArgv: [], env: {} })
    worker.once("message", (answer: Answer) => {
      if ("error" in answer) fail(answer.error)
      else resume(Effect.succeed(answer.comparison))
    })
    worker.once("error", (error: Error) => fail(`the thread that compares heap snapshots failed: ${error.message}`))
    worker.once("exit", () => fail("the thread that compares heap snapshots has ended"))
    return Effect.promise(() => worker.terminate())
  })
