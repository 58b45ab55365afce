import { Effect } from "effect"
import { part } from "../../support/life.ts"

// A service that answers with big tables, as text. All of it is garbage a moment later, some of it a little later than
// that: the last answers are kept for the pages that ask again, a third of the run at most, two hundred of them.
// Nothing here leaks. It is only wasteful.

const last = []

const rows = (n) => Array.from({ length: n }, (_, i) => ({ i, id: `row-${i}-${Math.random()}`, ok: i % 3 === 0 }))

const answer = (n) =>
  Effect.promise(async () => {
    const table = rows(n)
    await Promise.resolve()
    const text = JSON.stringify(table)
    const copy = JSON.parse(text)
    last.push({ at: performance.now(), table: copy.slice(0, 20) })
    while (last.length > 200 || last[0]?.at < performance.now() - part(0.33)) last.shift()
    return text.length
  })

let n = 0
setInterval(() => Effect.runPromise(answer(n++ % 50 === 0 ? 4000 : 60)), 15)
