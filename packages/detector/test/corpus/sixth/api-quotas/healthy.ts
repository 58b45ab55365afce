/*
 * A gateway that gives each client ten calls at once and eight more a second. Clients are only known while they call:
 * a bucket that has been full for a twentieth of the run says nothing, and is thrown away.
 *
 * Healthy: some sixty clients call at a time, others take their places, and idle buckets are swept.
 */
import { Effect } from "effect"
import { elapsed, jitter, part } from "../../support/life.ts"

class Bucket {
  tokens = 10
  last = performance.now()
  readonly recent = new Float64Array(16)
  private calls = 0

  take() {
    const now = performance.now()
    this.tokens = Math.min(10, this.tokens + (now - this.last) * 0.008)
    this.last = now
    this.recent[this.calls++ % 16] = now
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }
}

class Gateway {
  private readonly buckets = new Map<string, Bucket>()
  private readonly refused = new Array<{ client: string; at: number } | undefined>(64).fill(undefined)
  private refusals = 0

  admit(client: string) {
    let bucket = this.buckets.get(client)
    if (bucket === undefined) this.buckets.set(client, bucket = new Bucket())
    if (bucket.take()) return true
    this.refused[this.refusals++ % 64] = { client, at: bucket.last }
    return false
  }

  sweep() {
    const limit = performance.now() - part(0.05)
    for (const [client, { last }] of this.buckets) if (last < limit) this.buckets.delete(client)
  }
}

const gateway = new Gateway()
setInterval(() => gateway.sweep(), part(0.03))

const call = Effect.fnUntraced(function*(client: string, path: string) {
  if (!gateway.admit(client)) return { status: 429, body: "" }
  yield* Effect.sleep(jitter(12))
  return { status: 200, body: JSON.stringify({ client, path, items: Array.from({ length: 12 }, (_, n) => n * n) }) }
})

Effect.runFork(Effect.gen(function*() {
  for (let n = 0;; n++) {
    const first = Math.floor(elapsed() * 500)
    const client = n % 6 === 0 ? "crawler" : `client-${first + Math.floor(Math.random() * 60)}`
    yield* Effect.forkChild(call(client, `/v1/items/${n}`))
    // the crawler comes in bursts
    if (n % 300 === 0) {
      for (let page = 0; page < 25; page++) yield* Effect.forkChild(call("crawler", `/page/${page}`))
    }
    yield* Effect.sleep(jitter(9))
  }
}))
