// Notes about requests, for support. They are kept in a WeakMap, by request.
import { Effect } from "effect"
import "../../support/life.ts"

const tenants = Array.from({ length: 12 }, (_, n) => ({ name: `tenant ${n}`, quota: 100 * n }))
const notes = new WeakMap()

const note = (request, steps) => {
  if (!notes.has(request)) notes.set(request, [])
  notes.get(request).push({ steps, at: performance.now() })
}

let serial = 0
const handle = Effect.promise(async () => {
  const request = { serial: ++serial, tenant: tenants[serial % tenants.length] }
  await new Promise((resolve) => setTimeout(resolve, 4))
  if (request.serial % 40 === 0) {
    note(request, Array.from({ length: 50 }, (_, step) => ({ step, took: Math.random() })))
  }
  return request.serial
})

setInterval(() => Effect.runPromise(handle), 11)
