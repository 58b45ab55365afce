// A service in two hundred modules, each of which is loaded when it is first called.
// Healthy: the last one is loaded before half of the run is over. From then on there is only work.
import { Effect } from "effect"
import { elapsed, jitter } from "../../support/life.ts"

const source = (n) => `
const table = Array.from({ length: 300 }, (_, i) => ({ key: "k" + i, value: i * ${n + 1} }))
export class Handler${n} {
  constructor() { this.calls = 0 }
  run(input) {
    this.calls++
    const found = table[input % table.length]
    return found.value > ${n * 10} ? this.high(found, input) : this.low(found, input)
  }
  high({ key, value }, input) { return key + (value - input).toString(36) }
  low({ key, value }, input) { return (value + input).toString(8) + key }
}
export const handler = new Handler${n}()
`

const load = (n) => import(`data:text/javascript,${encodeURIComponent(source(n))}`)

const call = (n, input) =>
  Effect.gen(function*() {
    const { handler } = yield* Effect.promise(() => load(n))
    let length = 0
    for (let i = 0; i < 50; i++) length += handler.run(input + i).length
    return length
  })

const main = Effect.gen(function*() {
  for (let input = 0;; input++) {
    const known = Math.ceil(200 * Math.min(1, elapsed() / 0.45))
    const n = input % 3 === 0 ? known - 1 : Math.floor(Math.random() * known)
    yield* Effect.forkChild(call(n, input))
    yield* Effect.sleep(jitter(12))
  }
})

Effect.runFork(main)
