// Webhooks are delivered at least once: one in three comes a second time, soon afterwards. Two sets remember the ids of
// a window: when the younger one is old enough it replaces the older one.
import { Effect, Queue } from "effect"
import { jitter, part } from "../../support/life.ts"

interface Hook {
  readonly id: string
  readonly sender: string
  readonly payload: { readonly lines: ReadonlyArray<string> }
}

let young = new Set<string>()
let old = new Set<string>()
setInterval(() => {
  old = young
  young = new Set()
}, part(0.05))

const firstTime = (id: string) => {
  if (young.has(id) || old.has(id)) return false
  young.add(id)
  return true
}

const totals = new Map<string, { hooks: number; lines: number; latest: string }>()

const work = (queue: Queue.Queue<Hook>) =>
  Effect.gen(function*() {
    const { id, payload, sender } = yield* Queue.take(queue)
    if (!firstTime(id)) return
    yield* Effect.sleep(jitter(5))
    const { hooks, lines } = totals.get(sender) ?? { hooks: 0, lines: 0 }
    totals.set(sender, { hooks: hooks + 1, lines: lines + payload.lines.length, latest: id })
  }).pipe(Effect.forever)

Effect.runFork(Effect.gen(function*() {
  const queue = yield* Queue.bounded<Hook>(50)
  for (let n = 0; n < 4; n++) yield* Effect.forkChild(work(queue))
  for (let n = 0;; n++) {
    const hook = {
      id: `${Math.random().toString(36).slice(2)}-${n}`,
      sender: `sender-${n % 15}`,
      payload: { lines: Array.from({ length: 15 }, (_, line) => `line ${line} of ${n}`) }
    }
    yield* Queue.offer(queue, hook)
    if (n % 3 === 0) {
      yield* Queue.offer(queue, hook).pipe(Effect.delay(jitter(part(0.01))), Effect.forkChild)
    }
    yield* Effect.sleep(jitter(11))
  }
}))
