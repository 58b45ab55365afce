/**
 * Users log in, stay for a second or two and log out; while they are logged in a heartbeat keeps their session warm.
 * The twin of leak.ts: the heartbeat is forked in the scope of the session.
 */
import { Effect, Exit, Scope } from "effect"
import { jitter } from "../../support/life.ts"

interface Session {
  readonly user: number
  readonly roles: ReadonlyArray<string>
  readonly scope: Scope.Closeable
  beats: number
}

const heartbeat = Effect.fn("Sessions.heartbeat")(function*(session: Session) {
  while (true) {
    yield* Effect.sleep("500 millis")
    session.beats++
  }
})

const login = Effect.fn("Sessions.login")(function*(user: number) {
  const session: Session = {
    user,
    roles: Array.from({ length: 20 }, (_, n) => `role-${user}-${n}`),
    scope: yield* Scope.make(),
    beats: 0
  }
  yield* Effect.forkIn(heartbeat(session), session.scope)
  return session
})

const logout = Effect.fn("Sessions.logout")(function*(session: Session) {
  yield* Scope.close(session.scope, Exit.void)
})

const visit = Effect.fn("visit")(function*(user: number) {
  const session = yield* login(user)
  yield* Effect.sleep(jitter(1500))
  yield* logout(session)
})

const program = Effect.gen(function*() {
  for (let user = 1;; user++) {
    yield* Effect.forkChild(visit(user))
    yield* Effect.sleep(jitter(70))
  }
})

Effect.runFork(program)
