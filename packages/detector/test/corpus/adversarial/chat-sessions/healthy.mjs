// Chats, each in a fiber that keeps the last twenty messages. Most are over after a few seconds, few go on for long:
// how long they take has a heavy tail, which is cut off at 25 s.
// Healthy: from 25 s on as many end as begin.
import { Effect } from "effect"
import "../../support/life.ts"

const length = () => Math.min(25, 1 / Math.random() ** 1.4)

const chat = Effect.fn("chat")(function*() {
  const messages = []
  const end = performance.now() + length() * 1000
  while (performance.now() < end) {
    yield* Effect.sleep(200 + Math.random() * 200)
    if (messages.push({ text: "hello ".repeat(20) + Math.random() }) > 20) messages.shift()
  }
})

const server = Effect.fn("server")(function*() {
  while (true) {
    yield* Effect.forkDetach(chat())
    yield* Effect.sleep(Math.random() * 60)
  }
})

Effect.runFork(server())
