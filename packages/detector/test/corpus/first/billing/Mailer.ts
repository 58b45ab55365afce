/** What the service needs of a mailer. There are two implementations. */
import { Context, Effect } from "effect"
import type { Invoice } from "./Ledger.ts"

export class Mailer extends Context.Service<Mailer, {
  readonly announce: (invoice: Invoice, total: number) => Effect.Effect<void>
}>()("billing/Mailer") {}
