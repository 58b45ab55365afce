// maps with weather: tiles come from an upstream server over a handful of kept-alive connections
// BUG: where there is no tile (404) the body of the answer is not read, and the agent never gets that connection back
import { Effect } from "effect"
import { Agent, createServer, get } from "node:http"
import "../../support/life.ts"

const upstream = createServer({ keepAliveTimeout: 900_000 }, (req, res) => {
  const [, x, y] = req.url.split("/").map(Number)
  res.statusCode = (x * 7 + y) % 11 === 0 ? 404 : 200
  res.end(res.statusCode === 404 ? `nothing at ${x}, ${y}` : Buffer.alloc(3000, x))
})

const agent = new Agent({ keepAlive: true, maxSockets: 6 })

const tile = (x, y) =>
  Effect.callback((resume) => {
    const req = get({ host: "127.0.0.1", port: upstream.address().port, agent, path: `/${x}/${y}` }, (res) => {
      if (res.statusCode !== 200) return resume(Effect.succeed(undefined))
      const chunks = []
      res.on("data", (chunk) => chunks.push(chunk))
      res.on("end", () => resume(Effect.succeed(Buffer.concat(chunks))))
    })
    req.on("error", () => resume(Effect.succeed(undefined)))
  })

const forecast = (x, y) => ({
  x,
  y,
  hours: Array.from({ length: 24 }, (_, hour) => ({ hour, degrees: Math.sin(x + hour) * 10, text: `${x}/${y}` }))
})

const showMap = Effect.fnUntraced(function*(x, y, satellite) {
  const map = forecast(x, y)
  if (satellite) map.picture = (yield* tile(x, y))?.length ?? 0
  yield* Effect.sleep(4)
  return JSON.stringify(map).length
})

let requests = 0
upstream.listen(0, "127.0.0.1", () => {
  setInterval(() => {
    requests++
    Effect.runFork(showMap(Math.floor(Math.random() * 90), Math.floor(Math.random() * 90), requests % 4 === 0))
  }, 12)
})
