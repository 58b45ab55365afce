/*
 * Writes are gathered and flushed together; who wants to know when its write is on disk adds a hook.
 *
 * What is wrong: the hooks are called at every flush, and stay. Each is a closure over the request it was made for.
 */
import { Deferred, Effect, Schedule } from "effect"
import "../../support/life.ts"

interface Order {
  readonly id: number
  readonly positions: ReadonlyArray<{ readonly sku: string; readonly quantity: number }>
}

class WriteAhead {
  private lines: Array<string> = []
  private readonly hooks: Array<() => void> = []

  append(line: string) {
    this.lines.push(line)
  }

  onFlush(hook: () => void) {
    this.hooks.push(hook)
  }

  flush() {
    const size = this.lines.reduce((sum, line) => sum + line.length, 0)
    this.lines = []
    for (const hook of this.hooks) hook()
    return size
  }
}

const log = new WriteAhead()

const readOrder = (id: number): Order => ({
  id,
  positions: Array.from({ length: 15 }, (_, n) => ({ sku: `sku-${id}-${n}`, quantity: n + 1 }))
})

const save = (order: Order) =>
  Effect.gen(function*() {
    const saved = yield* Deferred.make<number>()
    log.append(JSON.stringify(order))
    log.onFlush(() => {
      Deferred.doneUnsafe(saved, Effect.succeed(order.positions.length))
    })
    return yield* Deferred.await(saved)
  })

let orders = 0

const shop = Effect.suspend(() => save(readOrder(++orders)))

Effect.runFork(Effect.repeat(Effect.sync(() => log.flush()), Schedule.spaced("200 millis")))
setInterval(() => Effect.runFork(shop), 13)
