// avatars are scaled by two workers; when there is too much to do new requests are turned away
// a request that is turned away gets an empty picture at once
import { Deferred, Effect, Queue } from "effect"
import "../../support/life.ts"

const scale = (pixels) => {
  const small = new Uint8Array(256)
  for (let i = 0; i < pixels.length; i++) small[i % 256] = (small[i % 256] + pixels[i]) / 2
  return small
}

const w = (q) =>
  Effect.forever(Effect.gen(function*() {
    const job = yield* Queue.take(q)
    yield* Effect.sleep(45)
    yield* Deferred.succeed(job.answer, scale(job.pixels))
  }))

const avatar = (q, user) =>
  Effect.gen(function*() {
    const answer = yield* Deferred.make()
    const accepted = yield* Queue.offer(q, { user, pixels: new Uint8Array(2000).fill(user), answer })
    if (!accepted) return 0
    const picture = yield* Deferred.await(answer)
    return picture.length
  })

const profile = (q, user) =>
  Effect.gen(function*() {
    const posts = Array.from({ length: 30 }, (_, n) => ({ n, title: `post ${n} of ${user}` }))
    const size = user % 2 === 0 ? yield* avatar(q, user) : 0
    yield* Effect.sleep(3)
    return JSON.stringify({ user, posts, size })
  })

Effect.runFork(Effect.gen(function*() {
  const q = yield* Queue.dropping(12)
  yield* Effect.forkChild(w(q))
  yield* Effect.forkChild(w(q))
  for (let user = 1;; user++) {
    Effect.runFork(profile(q, user))
    yield* Effect.sleep(5 + Math.random() * 10)
  }
}))
