/*
 * Passwords are hashed by two worker threads. Ten times in a run the older one is retired: it gets no more work, ends
 * what it has, and is terminated; a new one is already there.
 *
 * Healthy: what is pending belongs to a worker, and is answered before it ends.
 */
import { Deferred, Effect } from "effect"
import { Worker } from "node:worker_threads"
import { jitter, part } from "../../support/life.ts"

const code = `
  const { parentPort } = require("node:worker_threads")
  const { pbkdf2Sync } = require("node:crypto")
  parentPort.on("message", ({ id, password }) => {
    parentPort.postMessage({ id, hash: pbkdf2Sync(password, "salt" + id, 300, 64, "sha512") })
  })
`

class Hasher {
  pending = new Map()
  ids = 0

  constructor() {
    this.worker = new Worker(code, { eval: true })
    this.worker.on("message", ({ hash, id }) => {
      const answer = this.pending.get(id)
      this.pending.delete(id)
      Deferred.doneUnsafe(answer, Effect.succeed(hash))
    })
  }

  hash(password) {
    const id = this.ids++
    const answer = Deferred.makeUnsafe()
    this.pending.set(id, answer)
    this.worker.postMessage({ id, password })
    return Deferred.await(answer)
  }

  retire = Effect.fn("Hasher.retire")({ self: this }, function*() {
    while (this.pending.size > 0) yield* Effect.sleep(20)
    yield* Effect.promise(() => this.worker.terminate())
  })
}

const hashers = [new Hasher(), new Hasher()]

const register = Effect.fn("register")(function*(user) {
  const hash = yield* hashers[user % 2].hash(`password of ${user}`)
  yield* Effect.sleep(jitter(5))
  return `${user}:${Buffer.from(hash).toString("hex")}`
})

const rotate = Effect.fn("rotate")(function*() {
  while (true) {
    yield* Effect.sleep(jitter(part(0.1)))
    const old = hashers.shift()
    hashers.push(new Hasher())
    yield* old.retire()
  }
})

Effect.runFork(Effect.gen(function*() {
  yield* Effect.forkChild(rotate())
  for (let user = 0;; user++) {
    yield* Effect.forkChild(register(user))
    yield* Effect.sleep(jitter(28))
  }
}))
