/*
 * Letters are printed by a program of its own, one process for each; previews are made here. The ten letters that were
 * printed last can be had again.
 *
 * Healthy: every process gets the end of its input, ends, and is waited for; there are two of them at most.
 */
import { Effect, Schema, Semaphore } from "effect"
import { spawn } from "node:child_process"
import { jitter } from "../../support/life.ts"

class PrintError extends Schema.TaggedError<PrintError>()("PrintError", { code: Schema.Number }) {}

const print = (text: string) =>
  Effect.callback<Buffer, PrintError>((resume) => {
    const child = spawn("cat", [], { stdio: ["pipe", "pipe", "ignore"] })
    const chunks: Array<Buffer> = []
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk))
    child.on("error", () => resume(Effect.fail(new PrintError({ code: -1 }))))
    child.on("close", (code) =>
      resume(code === 0 ? Effect.succeed(Buffer.concat(chunks)) : Effect.fail(new PrintError({ code: code ?? -2 }))))
    child.stdin.on("error", () => {})
    child.stdin.end(text)
    return Effect.sync(() =>
      void child.kill("SIGKILL")
    )
  })

const preview = Effect.fnUntraced(function*(letter: number) {
  const words = Array.from({ length: 80 }, (_, n) => `word${(letter * n) % 97}`)
  yield* Effect.sleep(jitter(10))
  return words.join(" ").slice(0, 200)
})

const printed: Array<Buffer> = []

const letter = Effect.fnUntraced(function*(printers: Semaphore.Semaphore, id: number) {
  const pdf = yield* Semaphore.withPermits(printers, 1, print(`letter ${id}\n`.repeat(2000))).pipe(
    Effect.timeout("5 seconds"),
    Effect.orElseSucceed(() => Buffer.alloc(0))
  )
  printed.push(pdf)
  if (printed.length > 10) printed.shift()
})

Effect.runFork(Effect.gen(function*() {
  const printers = yield* Semaphore.make(2)
  for (let id = 0;; id++) {
    yield* Effect.forkChild(preview(id))
    if (id % 18 === 0) yield* Effect.forkChild(letter(printers, id))
    yield* Effect.sleep(jitter(28))
  }
}))
