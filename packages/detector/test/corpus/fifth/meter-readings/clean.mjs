// electricity meters send readings over tcp; they are stored one by one by a loop over an async iterator
//
// the store takes four at a time, and is faster than what comes in
import { Effect, Stream } from "effect"
import { EventEmitter, on } from "node:events"
import { connect, createServer } from "node:net"
import { createInterface } from "node:readline"
import "../../support/life.ts"

const meters = new EventEmitter()
const totals = new Map()

const server = createServer((socket) => {
  createInterface({ input: socket }).on("line", (line) => {
    const [meter, ...values] = line.split(" ")
    meters.emit("reading", { meter, at: new Date(), values: values.map((value) => ({ phase: value[0], value })) })
  })
})

async function* readings() {
  for await (const [reading] of on(meters, "reading")) yield reading
}

const store = ({ meter, values }) =>
  Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 22))).pipe(
    Effect.map(() => totals.set(meter, (totals.get(meter) ?? 0) + values.length))
  )

Effect.runFork(
  Stream.fromAsyncIterable(readings(), (error) => error).pipe(
    Stream.mapEffect(store, { concurrency: 4, bufferSize: 1 }),
    Stream.runDrain
  )
)

server.listen(0, "127.0.0.1", () => {
  const line = connect(server.address().port)
  let number = 0
  const start = performance.now()
  setInterval(() => {
    while (number < (performance.now() - start) * 0.114) {
      line.write(
        `meter-${++number % 500} ${Array.from({ length: 40 }, (_, n) => `${n % 3}:${number + n}`).join(" ")}\n`
      )
    }
  }, 20)
})
