/*
 * Tokens are renewed every now and then, between requests that use them.
 *
 * What is wrong, slowly: a renewed token is remembered under its own name and the old one is not forgotten.
 */
import { Effect, Schedule } from "effect"
import "../../support/life.ts"

const tokens = new Map<string, { readonly token: string; readonly scopes: ReadonlyArray<string> }>()
let renewals = 0

const renew = Effect.fn("Tokens.renew")(function*() {
  yield* Effect.sleep("20 millis")
  const token = `token-${++renewals}`
  tokens.set(token, { token, scopes: ["read", "write"].map((scope) => `${scope}:${token}`) })
})

const request = Effect.fn("request")(function*() {
  yield* Effect.sleep("4 millis")
  return JSON.stringify(Array.from({ length: 60 }, (_, n) => ({ n, token: `token-${renewals}` }))).length
})

Effect.runFork(Effect.repeat(renew(), Schedule.spaced("400 millis")))
Effect.runFork(request().pipe(Effect.forkDetach, Effect.repeat(Schedule.jittered(Schedule.spaced("10 millis")))))
