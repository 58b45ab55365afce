/*
 * Rules about features are read again thirty times in a run: 300 of them, each with a pattern and a function. Requests
 * that began with the old rules end with them.
 *
 * Healthy: a ScopedRef closes the old rules when it gets new ones.
 */
import { Effect, ScopedRef } from "effect"
import { jitter, part } from "../../support/life.ts"

const compile = (edition) =>
  Array.from({ length: 300 }, (_, n) => {
    const pattern = new RegExp(`^user-[0-9]*${n % 10}[0-9]{${n % 3}}$`)
    const share = ((edition + n) % 100) / 100
    return {
      name: `feature ${n}, edition ${edition}`,
      test: ({ random, user }) => random < share && pattern.test(user)
    }
  })

const load = Effect.fn("Flags.load")(function*(edition) {
  yield* Effect.sleep(jitter(30))
  return yield* Effect.acquireRelease(
    Effect.sync(() => {
      const hits = new Map()
      const timer = setInterval(() => hits.clear(), 700)
      return { edition, rules: compile(edition), hits, timer }
    }),
    ({ timer }) => Effect.sync(() => clearInterval(timer))
  )
})

const request = Effect.fn("request")(function*(flags, user) {
  const { hits, rules } = yield* ScopedRef.get(flags)
  const random = Math.random()
  const active = []
  for (let n = 0; n < 30; n++) {
    const rule = rules[Math.floor(Math.random() * rules.length)]
    if (!rule.test({ user, random })) continue
    active.push(rule.name)
    hits.set(rule.name, (hits.get(rule.name) ?? 0) + 1)
  }
  yield* Effect.sleep(jitter(60))
  return active.join()
})

Effect.runFork(
  Effect.gen(function*() {
    const flags = yield* ScopedRef.fromAcquire(load(0))
    yield* Effect.forkScoped(Effect.gen(function*() {
      for (let edition = 1;; edition++) {
        yield* Effect.sleep(part(0.033))
        yield* ScopedRef.set(flags, load(edition))
      }
    }))
    for (let n = 0;; n++) {
      yield* Effect.forkChild(request(flags, `user-${n}`))
      yield* Effect.sleep(jitter(14))
    }
  }).pipe(Effect.scoped)
)
