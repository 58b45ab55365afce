/*
 * Clicks are grouped by page, and counted in windows of thirty clicks or 400 ms. There are eight pages that stay, and
 * campaigns that each last for a twentieth of the run.
 *
 * Healthy: the group of a campaign ends when it has been idle, and the latest windows of twelve pages are kept.
 */
import { Effect, Queue, Stream } from "effect"
import { elapsed, jitter, part } from "../../support/life.ts"

const latest = new Map()

const remember = (page, clicks) => {
  latest.delete(page)
  latest.set(page, { count: clicks.length, visitors: [...new Set(clicks.map(({ visitor }) => visitor))] })
  if (latest.size > 12) latest.delete(latest.keys().next().value)
}

const count = (clicks) =>
  clicks.pipe(
    Stream.groupByKey(({ page }) => page, { bufferSize: 64, idleTimeToLive: part(0.03) }),
    Stream.flatMap(([page, group]) =>
      group.pipe(
        Stream.groupedWithin(30, "400 millis"),
        Stream.map((window) => [page, window])
      ), { concurrency: "unbounded" }),
    Stream.runForEach(([page, window]) => Effect.sync(() => remember(page, window)))
  )

const visitors = Effect.fn("visitors")(function*(queue) {
  for (let n = 0;; n++) {
    const page = n % 9 === 0 ? `campaign-${Math.floor(elapsed() * 20)}` : `page-${n % 8}`
    yield* Queue.offer(queue, { page, visitor: `visitor ${Math.floor(Math.random() * 500)}`, at: performance.now() })
    yield* Effect.sleep(jitter(12))
  }
})

Effect.runFork(Effect.gen(function*() {
  const queue = yield* Queue.sliding(500)
  yield* Effect.forkChild(visitors(queue))
  yield* count(Stream.fromQueue(queue))
}))
