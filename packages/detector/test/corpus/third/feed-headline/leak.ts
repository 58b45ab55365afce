// The first entry of a news feed is wanted, and the feed is a Stream that is read as an async iterable.
//
// Slow leak: whoever asks by hand for the next value of an iterator has to return it. The headline does not, so the
// feed stays open, with the fiber that polls it.
import { Effect, Schedule, Stream } from "effect"
import "../../support/life.ts"

let entries = 0
const polled = Stream.fromEffectSchedule(
  Effect.sync(() => ({ entry: entries++, text: "news ".repeat(20) })),
  Schedule.spaced("600 millis")
)
const feed = Stream.callback<{ entry: number; text: string }>((queue) => Stream.runIntoQueue(polled, queue))

async function headline() {
  const iterator = Stream.toAsyncIterable(feed)[Symbol.asyncIterator]()
  const first = await iterator.next()
  return first.value?.text
}

async function front() {
  for (let visits = 1;; visits++) {
    await Effect.runPromise(Effect.sleep(7).pipe(Effect.as(visits)))
    if (visits % 400 === 0) await headline()
  }
}

void front()
void front()
