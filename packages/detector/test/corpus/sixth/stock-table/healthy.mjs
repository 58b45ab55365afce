// a table of stock with two indexes: rows are inserted, changed and deleted
// healthy: from 500 rows on, a row is deleted for every row that is inserted, and empty sets leave the indexes
import { Effect } from "effect"
import { jitter } from "../../support/life.ts"

const makeIndex = (field) => {
  const sets = new Map()
  return {
    add: (row) => {
      const set = sets.get(row[field])
      if (set) set.add(row.id)
      else sets.set(row[field], new Set([row.id]))
    },
    remove: (row) => {
      const set = sets.get(row[field])
      set.delete(row.id)
      if (set.size === 0) sets.delete(row[field])
    },
    find: (value) => sets.get(value) ?? new Set()
  }
}

const rows = new Map()
const ids = []
const indexes = [makeIndex("shelf"), makeIndex("batch")]

const insert = (id) => {
  const row = {
    id,
    shelf: `shelf ${id % 40}`,
    batch: `batch ${Math.floor(Math.random() * 60)}`,
    amount: id % 90,
    note: `note ${id} `.repeat(5)
  }
  rows.set(id, row)
  ids.push(id)
  for (const index of indexes) index.add(row)
}

const pick = () => Math.floor(Math.random() * ids.length)

const update = () => {
  const row = rows.get(ids[pick()])
  for (const index of indexes) index.remove(row)
  row.shelf = `shelf ${Math.floor(Math.random() * 40)}`
  row.amount = (row.amount + 7) % 90
  for (const index of indexes) index.add(row)
}

const remove = () => {
  const at = pick()
  const row = rows.get(ids[at])
  ids[at] = ids.at(-1)
  ids.pop()
  rows.delete(row.id)
  for (const index of indexes) index.remove(row)
}

const transaction = (n) =>
  Effect.sleep(jitter(4)).pipe(
    Effect.andThen(Effect.sync(() => {
      insert(n)
      if (rows.size > 500) remove()
      update()
      return [...indexes[0].find(`shelf ${n % 40}`)].map((id) => rows.get(id).amount)
    })),
    Effect.withSpan("transaction")
  )

Effect.runFork(Effect.gen(function*() {
  for (let n = 0;; n++) {
    yield* Effect.forkChild(transaction(n))
    yield* Effect.sleep(jitter(9))
  }
}))
