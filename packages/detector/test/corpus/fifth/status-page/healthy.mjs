// a status page that hardly anybody looks at: a health check every second, a visitor every three, and a look at the
// memory once in a while. healthy: there is next to nothing that could grow
import { Effect, Schedule } from "effect"
import { createServer, get } from "node:http"
import { part } from "../../support/life.ts"

const checks = new Array(20).fill(undefined)
let checked = 0

const check = Effect.gen(function*() {
  const start = performance.now()
  yield* Effect.sleep(5)
  checks[checked++ % checks.length] = { at: start, millis: performance.now() - start }
})

const page = () =>
  Effect.sync(() => {
    const known = checks.filter((entry) => entry !== undefined)
    return `<ul>${known.map(({ at, millis }) => `<li>${at.toFixed(0)}: ${millis.toFixed(1)} ms</li>`).join("")}</ul>`
  })

const server = createServer((req, res) => {
  Effect.runPromise(page()).then((html) => {
    res.setHeader("content-type", "text/html")
    res.end(html)
  })
})

let highest = 0
setInterval(() => {
  highest = Math.max(highest, process.memoryUsage().rss)
}, part(0.1))

Effect.runFork(Effect.repeat(check, Schedule.spaced("1 second")))
server.listen(0, "127.0.0.1", () => {
  setInterval(() => get({ host: "127.0.0.1", port: server.address().port, agent: false }, (res) => res.resume()), 3000)
})
