// Tickets are searched in pages, and mostly the first page will do.
// The twin of leak.mjs: the loop tells the generator that there are enough.
import { Effect } from "effect"
import { setTimeout as wait } from "node:timers/promises"
import { jitter } from "../../support/life.ts"

const cursors = new Set()

async function* pages(query) {
  const cursor = { query, rows: Array.from({ length: 25 }, (_, n) => `${query} ticket ${n} ${Math.random()}`) }
  cursors.add(cursor)
  try {
    while (cursor.rows.length > 0) {
      await wait(jitter(4))
      yield cursor.rows.splice(0, 5)
    }
  } finally {
    cursors.delete(cursor)
  }
}

async function firstPage(query) {
  for await (const page of pages(query)) return page
}

async function everything(query) {
  const rows = []
  for await (const page of pages(query)) rows.push(...page)
  return rows
}

const search = (n) => n % 8 === 0 ? everything(`all ${n}`) : n % 3 === 0 ? firstPage(`first ${n}`) : wait(2)

let n = 0
setInterval(() => Effect.runFork(Effect.promise(() => search(++n))), 12)
