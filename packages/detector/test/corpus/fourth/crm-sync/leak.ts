/**
 * A daemon that copies contacts from one system into another. Its logs are events of the trace.
 * Leak: there is one span for the whole daemon, and it never ends, so its events are kept for ever.
 */
import { Effect, Logger, Schedule } from "effect"
import { jitter } from "../../support/life.ts"

interface Contact {
  readonly id: number
  readonly mail: string
}

let last = 0

const changes = Effect.sync((): ReadonlyArray<Contact> =>
  Array.from({ length: 4 }, () => ({ id: ++last, mail: `contact-${last}@example.com` }))
)

const copy = (contact: Contact) =>
  Effect.gen(function*() {
    yield* Effect.sleep(jitter(10))
    yield* Effect.logInfo(`copied ${contact.mail} as ${contact.id.toString(36)}`)
  }).pipe(Effect.annotateLogs({ contact: contact.id, system: "crm" }))

const sync = Effect.gen(function*() {
  const contacts = yield* changes
  yield* Effect.logInfo(`copying ${contacts.length} contacts from ${contacts[0]?.id}`)
  yield* Effect.forEach(contacts, copy, { concurrency: 2 })
})

const daemon = sync.pipe(
  Effect.repeat(Schedule.spaced("15 millis")),
  Effect.withSpan("crm.sync")
)

Effect.runFork(Effect.provide(daemon, Logger.layer([Logger.tracerLogger])))
