/*
 * Search results are paged: a cursor is a generator that stands where the last page ended.
 *
 * What leak.mjs does wrong is put right here: a cursor is closed when its session ends.
 */
import { Effect } from "effect"
import "../../support/life.ts"

const cursors = new Map()

function* search(words) {
  const hits = Array.from({ length: 120 }, (_, n) => ({ document: `${words}-${n}`, score: Math.random() }))
  hits.sort((a, b) => b.score - a.score)
  try {
    for (let from = 0; from < hits.length; from += 10) yield hits.slice(from, from + 10)
  } finally {
    cursors.delete(words)
  }
}

const firstPage = (words) =>
  Effect.sync(() => {
    const cursor = search(words)
    cursors.set(words, cursor)
    return cursor.next().value
  })

const nextPage = (words) => Effect.sync(() => cursors.get(words)?.next().value ?? [])

const session = (words) =>
  firstPage(words).pipe(
    Effect.delay("5 millis"),
    Effect.andThen(Effect.delay(nextPage(words), "300 millis")),
    Effect.ensuring(Effect.sync(() => cursors.get(words)?.return()))
  )

let searches = 0
const newSearch = () => Effect.runFork(session(`words ${++searches}`))

setInterval(() => {
  newSearch()
  if (Math.random() < 0.3) newSearch()
}, 40)
