// Sheets with formulas, which are compiled to functions. There are 160 formulas, all of which have been compiled when
// 15 % of the run are over; sheets come and go.
const { Effect } = require("effect")
const { elapsed, jitter, part } = require("../../support/life.ts")

const compiled = new Map()

const formula = (n) => {
  let f = compiled.get(n)
  if (!f) {
    const terms = Array.from({ length: 12 }, (_, k) => `row[${(n * k) % 20}] * ${n + k} - Math.sqrt(${k} + row[${k}])`)
    f = new Function("row", `let sum = 0\n${terms.map((term) => `sum += ${term}`).join("\n")}\nreturn sum % 1000`)
    compiled.set(n, f)
  }
  return f
}

class Sheet {
  constructor(first, size) {
    this.first = first
    this.rows = Array.from({ length: size }, () => Float64Array.from({ length: 20 }, () => Math.random() * 100))
  }

  calculate(known) {
    for (const [at, row] of this.rows.entries()) {
      const f = formula((this.first + at) % known)
      for (let step = 0; step < 10; step++) row[(at + step) % 20] = Math.abs(f(row))
    }
  }
}

const sheets = new Set()

const work = (id) =>
  Effect.gen(function*() {
    const sheet = new Sheet(id * 37, 60)
    sheets.add(sheet)
    const until = performance.now() + jitter(part(0.05))
    while (performance.now() < until) {
      sheet.calculate(10 + Math.floor(150 * Math.min(1, elapsed() / 0.15)))
      yield* Effect.sleep(jitter(200))
    }
    sheets.delete(sheet)
  })

Effect.runFork(Effect.gen(function*() {
  for (let id = 0;; id++) {
    yield* Effect.forkChild(work(id))
    yield* Effect.sleep(jitter(part(0.05) / 14))
  }
}))
