// A small store of sorted tables. What is put goes into a table in memory; when it has more than 400 rows, it is merged
// with the sorted table into a new one.
// Healthy: there are 3000 keys, so the sorted table never has more rows than that.
import { Effect } from "effect"
import "../../support/life.ts"

let memtable = new Map()
let table = []

const put = (key) => {
  memtable.set(key, { key, value: Array.from({ length: 8 }, (_, n) => `${key} ${n} ${Math.random()}`) })
}

const compact = () => {
  const merged = new Map(table.map((row) => [row.key, row]))
  for (const [key, row] of memtable) merged.set(key, { ...row, value: row.value.map((text) => text + "") })
  table = [...merged.values()].sort((a, b) => a.key - b.key)
  memtable = new Map()
}

Effect.runFork(Effect.gen(function*() {
  while (true) {
    for (let k = 0; k < 4; k++) put(Math.floor(3000 * Math.random() ** 1.5))
    if (memtable.size > 400) compact()
    yield* Effect.sleep(12)
  }
}))
