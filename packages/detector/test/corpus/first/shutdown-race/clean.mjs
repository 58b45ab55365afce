// Requests race against the shutdown of the process, so that none of them delays its end.
// The twin of leak.mjs: one subscription to the shutdown ends the races that are under way.
import { Effect } from "effect"
import { jitter } from "../../support/life.ts"

const shutdown = new Promise((resolve) => process.once("SIGTERM", () => resolve("shutdown")))

const loadProfile = (user) =>
  Effect.gen(function*() {
    yield* Effect.sleep(jitter(6))
    return { user, friends: Array.from({ length: 60 }, (_, n) => ({ id: user * 100 + n, since: Math.random() })) }
  })

const racing = new Set()
shutdown.then((reason) => racing.forEach((end) => end(reason)))

const orShutdown = (work) => {
  const { promise, reject, resolve } = Promise.withResolvers()
  racing.add(resolve)
  work.then(resolve, reject).finally(() => racing.delete(resolve))
  return promise
}

async function handle(user) {
  const profile = await orShutdown(Effect.runPromise(loadProfile(user)))
  return profile === "shutdown" ? 0 : profile.friends.length
}

async function serve() {
  for (let user = 1;; user++) {
    void handle(user)
    await new Promise((resolve) => setTimeout(resolve, jitter(10)))
  }
}

void serve()
