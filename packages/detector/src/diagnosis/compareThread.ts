/** The thread of {@link "compareInWorker"}. */
import * as Effect from "effect/Effect"
import { parentPort, workerData } from "node:worker_threads"
import { compareSnapshots } from "../heap/compareSnapshots.ts"
import { pathBounds } from "../heap/effect/PathBounds.ts"
import type { Answer } from "./compareInWorker.ts"

const answer: Answer = await Effect.runPromise(
  Effect.match(compareSnapshots(workerData as ReadonlyArray<string>, { bounds: pathBounds }), {
    onSuccess: (comparison) => ({ comparison }),
    onFailure: ({ message }) => ({ error: message })
  })
)
parentPort?.postMessage(answer)
