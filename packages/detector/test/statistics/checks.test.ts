/** Each row of the table and each limit has a case that fails without it. */
import { afterEach, assert, describe, it } from "@effect/vitest"
import { checks } from "../../src/statistics/checks.ts"
import type { Check } from "../../src/statistics/checks.ts"
import { limits } from "../../src/statistics/limits.ts"
import { caseBook } from "../support/cases.ts"
import type { Case } from "../support/cases.ts"
import { besideLongWork, boards, largeObject, slowGauges, wandering } from "../support/simulated.ts"

const rows: Readonly<Record<string, Case>> = {
  filling: { recording: "pool-warmup/healthy", verdict: "undecided" },
  stopped: { population: "cache, keys in order, full near the end", seconds: 30, says: "growing", atMost: 50 },
  burst: { population: "a burst in the late half", seconds: 120, says: "growing", atMost: 10 },
  emptied: { recording: "snippet-cache/healthy", verdict: "undecided" },
  growing: { recording: "city-search/leak", verdict: "leak" },
  queue: { recording: "pdf-queue/leak", verdict: "leak" },
  "queue or chance": { recording: "latency-histogram/healthy", verdict: "undecided" },
  backlog: { population: "LEAK, 5 a second, beside a bounded LRU", seconds: 120, says: "growing", atLeast: 52 },
  "large batches": { recording: "meter-readings/leak", verdict: "undecided" },
  few: { recording: "nightly-audit/leak", verdict: "undecided" },
  "one batch": { population: "sweeps that remove a third to a half", seconds: 30, says: "unclear", atLeast: 80 }
}

interface Moved {
  readonly to: number
  readonly fails: Case
}

/** A limit that is moved down, and up, fails a case; or it is derived, and the reason stands beside it in `limits.ts`. */
const moved: Readonly<Record<keyof typeof limits, { readonly down: Moved; readonly up: Moved } | "derived">> = {
  sure: {
    down: { to: 2.1, fails: { recording: "latency-histogram/healthy", verdict: "undecided" } },
    up: { to: 4.2, fails: { recording: "ingest-backlog/leak", verdict: "leak" } }
  },
  certain: {
    down: { to: 2.8, fails: { recording: "long-exports/healthy", verdict: "ok" } },
    up: {
      to: 5.6,
      fails: { population: "LEAK, consumer too slow, in chunks", seconds: 30, says: "unclear", atLeast: 38 }
    }
  },
  suspected: {
    down: { to: 1.4, fails: { recording: "ticket-sale/healthy", verdict: "ok" } },
    up: { to: 2.8, fails: { recording: "embedding-index/leak", verdict: "leak" } }
  },
  most: {
    down: { to: 0.35, fails: { recording: "ingest-backlog/clean", verdict: "ok" } },
    up: { to: 0.7, fails: { recording: "sync-causes/leak", verdict: "leak" } }
  },
  many: {
    down: {
      to: 0.175,
      fails: { population: "LEAK, 5 a second, beside a bounded LRU", seconds: 120, says: "unclear", atMost: 10 }
    },
    up: {
      to: 0.35,
      fails: { population: "sweeps that remove a third to a half", seconds: 30, says: "growing", atMost: 6 }
    }
  },
  few: {
    down: { to: 0.07, fails: { recording: "triage-queue/healthy", verdict: "ok" } },
    up: { to: 0.14, fails: { recording: "latency-histogram/healthy", verdict: "undecided" } }
  },
  arrivals: {
    down: { to: 7, fails: { recording: "ingest-backlog/clean", verdict: "ok" } },
    up: {
      to: 14,
      fails: { population: "LEAK, 2 a second, all are retained", seconds: 18, says: "growing", atLeast: 70 }
    }
  },
  startUp: {
    down: { to: 1 / 4, fails: { recording: "rpc-client/leak", verdict: "leak" } },
    up: { to: 1 / 2, fails: { recording: "game-maps/healthy", verdict: "ok" } }
  },
  newest: {
    down: {
      to: 1 / 7,
      fails: { population: "cache, keys in order, full near the end", seconds: 30, says: "growing", atMost: 25 }
    },
    up: {
      to: 2 / 7,
      fails: { population: "cache, keys in order, full near the end", seconds: 30, says: "growing", atMost: 25 }
    }
  },
  period: {
    down: { to: 1.4, fails: { simulated: "boards that are cleared once", holds: () => boards() <= 15 } },
    up: {
      to: 2.8,
      fails: { population: "LEAK, 4 a second, beside batches", seconds: 30, says: "growing", atLeast: 45 }
    }
  },
  neighbours: {
    down: { to: 8, fails: { simulated: "sums that wander", holds: () => wandering(8) <= 8 } },
    up: {
      to: 17,
      fails: { population: "LEAK, consumer too slow by a fifth", seconds: 30, says: "growing", atLeast: 7 }
    }
  },
  parts: {
    down: { to: 21, fails: { simulated: "a gauge that leaks slowly", holds: () => slowGauges() >= 75 } },
    up: { to: 42, fails: { simulated: "a gauge that leaks slowly", holds: () => slowGauges() >= 75 } }
  },
  readings: {
    down: { to: 1, fails: { simulated: "an object that gets larger beside work", holds: largeObject } },
    up: { to: 3, fails: { simulated: "an object that gets larger beside work", holds: largeObject } }
  },
  lateReadings: {
    down: { to: 2, fails: { recording: "recipe-cache/healthy", verdict: "undecided" } },
    up: { to: 4, fails: { recording: "event-compaction/healthy", verdict: "ok" } }
  },
  older: {
    down: { to: 1.4, fails: { simulated: "a leak beside long work", holds: besideLongWork } },
    up: { to: 4, fails: { recording: "pool-warmup/healthy", verdict: "undecided" } }
  },
  points: {
    down: { to: 3, fails: { recording: "call-recordings/leak", verdict: "ok" } },
    up: { to: 7, fails: { recording: "embedding-index/leak", verdict: "leak" } }
  },
  snapshots: "derived",
  fibers: "derived",
  siteBytes: {
    down: { to: 90_000, fails: { recording: "thumbnail-headers/clean", verdict: "ok" } },
    up: { to: 184_000, fails: { recording: "rate-tables/leak", verdict: "leak" } }
  },
  programBytes: "derived",
  youngest: "derived",
  ageParts: {
    down: { to: 4.2, fails: { recording: "rate-tables/leak", verdict: "leak" } },
    up: { to: 8.4, fails: { recording: "long-exports/healthy", verdict: "ok" } }
  },
  longestTimer: "derived",
  leakAfter: "derived",
  okAfter: "derived"
}

const all = [
  ...Object.values(rows),
  ...Object.values(moved).flatMap((one) => one === "derived" ? [] : [one.down.fails, one.up.fails])
]
const book = caseBook(all)
const table = checks as Array<Check>
const numbers = limits as Record<string, number>
const before = { table: [...table], numbers: { ...numbers } }

describe("the table of checks", () => {
  afterEach(() => {
    table.splice(0, table.length, ...before.table)
    Object.assign(numbers, before.numbers)
  })

  it("has a case for each row, and no row beside those", () => {
    assert.deepStrictEqual(checks.map(({ name }) => name), Object.keys(rows))
  })

  it.each(Object.keys(rows))("needs its row %s", (name) => {
    const one = rows[name]!
    assert.isTrue(book(one), "holds as it is")
    table.splice(table.findIndex((row) => row.name === name), 1)
    assert.isFalse(book(one), "fails without the row")
  })

  it.each(
    Object.entries(moved).flatMap(([name, one]) =>
      one === "derived" ? [] : [[name, one.down] as const, [name, one.up] as const]
    )
  )("needs its limit %s where it is: %o", (name, { fails, to }) => {
    assert.isTrue(book(fails), "holds as it is")
    numbers[name] = to
    assert.isFalse(book(fails), "fails with the other number")
  })

  it("has at most forty numbers", () => {
    assert.isAtMost(Object.keys(limits).length, 40)
  })
})
