/**
 * Billing with a mailer that holds mail back while the mail server of a tenant is down.
 * The twin of leak.ts: a mail is held back for a second.
 */
import { Effect, Latch, Layer } from "effect"
import { jitter } from "../../support/life.ts"
import { billing } from "./Billing.ts"
import { type Invoice, Ledger } from "./Ledger.ts"
import { Mailer } from "./Mailer.ts"

const MailerLive = Layer.effect(
  Mailer,
  Effect.gen(function*() {
    const servers = new Map<string, Latch.Latch>()

    const serverOf = Effect.fn("Mailer.serverOf")(function*(tenant: string) {
      const known = servers.get(tenant)
      if (known !== undefined) return known
      const up = yield* Latch.make(tenant !== "tenant-7")
      servers.set(tenant, up)
      return up
    })

    const send = Effect.fn("Mailer.send")(function*(invoice: Invoice, total: number) {
      const up = yield* serverOf(invoice.tenant)
      yield* Effect.timeoutOption(up.await, "1 second")
      yield* Effect.sleep(jitter(10))
      return `Dear ${invoice.tenant}, invoice ${invoice.id} has ${invoice.lines.length} lines, you owe ${total}`
    })

    return {
      announce: (invoice, total) => Effect.asVoid(Effect.forkDetach(send(invoice, total)))
    }
  })
)

Effect.runFork(Effect.provide(billing, Layer.mergeAll(Ledger.layer, MailerLive)))
