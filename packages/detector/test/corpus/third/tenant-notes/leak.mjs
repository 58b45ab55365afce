// Notes about requests, for support. They are kept in a WeakMap, "so that nothing can leak".
// It does, slowly: the keys are the tenants, who stay as long as the program does; the notes of a request should have gone
// with the request.
import { Effect } from "effect"
import "../../support/life.ts"

const tenants = Array.from({ length: 12 }, (_, n) => ({ name: `tenant ${n}`, quota: 100 * n }))
const notes = new WeakMap()

const note = (tenant, steps) => {
  if (!notes.has(tenant)) notes.set(tenant, [])
  notes.get(tenant).push({ steps, at: performance.now() })
}

let serial = 0
const handle = Effect.promise(async () => {
  const request = { serial: ++serial, tenant: tenants[serial % tenants.length] }
  await new Promise((resolve) => setTimeout(resolve, 4))
  if (request.serial % 40 === 0) {
    note(request.tenant, Array.from({ length: 50 }, (_, step) => ({ step, took: Math.random() })))
  }
  return request.serial
})

setInterval(() => Effect.runPromise(handle), 11)
