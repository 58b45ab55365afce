/** The thread of {@link "compareInWorker"}. */
import * as Effect from "effect/Effect"
import { parentPort, workerData } from "node:worker_threads"
import type { Answer } from "./compareInWorker.ts"
import { compareSnapshots } from "./compareSnapshots.ts"

const answer: Answer = await Effect.runPromise(Effect.match(compareSnapshots(workerData as ReadonlyArray<string>), {
  onSuccess: (comparison) => ({ comparison }),
  onFailure: ({ message }) => ({ error: message })
}))
parentPort?.postMessage(answer)
