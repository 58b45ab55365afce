// A table of 3000 rows. Rows are fetched anew all the time, two every few milliseconds, so each is replaced about every
// nine seconds. One in ten of the old rows is audited.
// Leak: rows that are audited are kept for ever.
import { Effect } from "effect"
import { seconds } from "../../support/life.ts"

const table = new Map()
const audit = []

const fetchRow = (id) => ({ id, cells: Array.from({ length: 30 }, (_, k) => `${id} ${k} ${Math.random()}`) })

const refresh = (id) => {
  const before = table.get(id)
  table.set(id, fetchRow(id))
  if (before !== undefined && Math.random() < 0.1) audit.push(before)
}

Effect.runFork(Effect.gen(function*() {
  for (let n = 0;; n++) {
    for (let k = 0; k < 2; k++) refresh((2 * n + k) % (100 * seconds))
    yield* Effect.sleep(5)
  }
}))
