/*
 * Identical requests that arrive at the same time share one call of the tax office.
 *
 * What is wrong: a call that fails stays in the table of calls under way, with its error and the form it was about.
 */
import { Data, Effect, Fiber } from "effect"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import "../../support/life.ts"

class OfficeError extends Data.TaggedError("OfficeError")<{
  readonly status: number
  readonly form: Form
}> {}

interface Form {
  readonly citizen: string
  readonly boxes: ReadonlyArray<{ readonly label: string; readonly value: number }>
}

class TaxClient {
  private readonly inFlight = new Map<string, Fiber.Fiber<string, OfficeError>>()
  private readonly office: URL

  constructor(office: URL) {
    this.office = office
  }

  file(form: Form): Effect.Effect<string, OfficeError> {
    const underWay = this.inFlight.get(form.citizen)
    if (underWay !== undefined) return Fiber.join(underWay)
    const call = Effect.runFork(
      this.submit(form).pipe(
        Effect.tap(() => Effect.sync(() => this.inFlight.delete(form.citizen)))
      )
    )
    this.inFlight.set(form.citizen, call)
    return Fiber.join(call)
  }

  private submit(form: Form) {
    return Effect.tryPromise({
      try: (signal) => fetch(new URL(form.citizen, this.office), { signal }),
      catch: () => new OfficeError({ status: 0, form })
    }).pipe(
      Effect.flatMap((response) =>
        response.ok
          ? Effect.promise(() => response.text())
          : Effect.promise(() => response.arrayBuffer()).pipe(
            Effect.andThen(Effect.fail(new OfficeError({ status: response.status, form })))
          )
      )
    )
  }
}

const fillIn = (n: number): Form => ({
  citizen: `citizen-${n}`,
  boxes: Array.from({ length: 40 }, (_, box) => ({ label: `${n}/${box}`, value: Math.round(Math.random() * 1e6) }))
})

function start(office: Server) {
  const client = new TaxClient(new URL(`http://127.0.0.1:${(office.address() as AddressInfo).port}`))
  let n = 0
  setInterval(() => {
    const form = fillIn(++n)
    const both = Effect.all([client.file(form), client.file(form)], { concurrency: 2 })
    Effect.runFork(both.pipe(Effect.catchTag("OfficeError", (error) => Effect.logDebug(error.status))))
  }, 22)
}

const office = createServer((request, response) => {
  const n = Number(request.url?.split("-")[1])
  setTimeout(() => response.writeHead(n % 2 === 0 ? 503 : 200).end(`filed ${n}`), 4)
})

office.listen(0, "127.0.0.1", () => start(office))
