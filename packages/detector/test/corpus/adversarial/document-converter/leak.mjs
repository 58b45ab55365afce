// Documents, three a second, each converted by a process of its own that may take half a second.
// Leak: when a conversion takes too long, as each third one does, its process is not killed.
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { seconds } from "../../support/life.ts"

const convert = (n) =>
  Effect.callback((resume) => {
    const child = spawn("sleep", [n % 3 === 0 ? String(seconds + 10) : "0.1"], { stdio: "ignore" })
    child.on("exit", () => resume(Effect.void))
  })

Effect.runFork(Effect.gen(function*() {
  for (let n = 0;; n++) {
    yield* Effect.forkDetach(Effect.timeoutOption(convert(n), "500 millis"))
    yield* Effect.sleep(330)
  }
}))
