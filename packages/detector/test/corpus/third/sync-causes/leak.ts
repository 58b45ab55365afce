/*
 * Synchronizes contacts with an address book that often says no. The last failure is part of the next report.
 *
 * The mistake: a new failure has the one before it as its cause, and so all failures there ever were.
 */
import { Data, Effect, Schedule } from "effect"
import "../../support/life.ts"

interface Contact {
  readonly mail: string
  readonly phones: ReadonlyArray<number>
}

class SyncFailed extends Data.TaggedError("SyncFailed")<{
  readonly batch: ReadonlyArray<Contact>
  readonly cause?: unknown
}> {}

let lastFailure: SyncFailed | undefined
let batches = 0

const readContacts = Effect.sync((): ReadonlyArray<Contact> =>
  Array.from({ length: 40 }, (_, n) => ({ mail: `${n}.${batches}@example.org`, phones: [n, batches, Math.random()] }))
)

const push = Effect.fn("Contacts.push")(function*(batch: ReadonlyArray<Contact>) {
  yield* Effect.sleep("5 millis")
  if (++batches % 16 === 0) return yield* new SyncFailed({ batch, cause: lastFailure })
  return batch.length
})

const sync = Effect.fn("Contacts.sync")(
  function*() {
    const batch = yield* readContacts
    return yield* push(batch)
  },
  Effect.catchTag("SyncFailed", (failure) =>
    Effect.sync(() => {
      lastFailure = failure
      return 0
    }))
)

Effect.runFork(Effect.repeat(sync(), Schedule.spaced("5 millis")))
