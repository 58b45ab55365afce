/** The first half of the corpus. */
import type { Program } from "../manifest.ts"
import { lookAlike, pair } from "../support/entries.ts"

export const first: ReadonlyArray<Program> = [
  ...pair({
    half: "first",
    name: "webhook-retries",
    extension: "ts",
    kind: "live fibers",
    shape: "a retry without a limit",
    named: true,
    guilty: { names: ["accept", "deliver", "post"], lines: [[20, 27], [29, 36], [38, 41]] },
    rate: { individualsPerSecond: 5.9, bytesPerSecond: 92_000 },
    note: "HTTP server and client; one event in twelve goes to an endpoint that is gone"
  }),
  ...pair({
    half: "first",
    name: "rpc-replies",
    extension: "mjs",
    kind: "live fibers",
    shape: "fibers that wait for a Deferred nobody completes",
    named: false,
    guilty: { names: ["ask", "next"], lines: [[23, 30], [32, 36]] },
    rate: { individualsPerSecond: 6.2, bytesPerSecond: 16_000 },
    note: "no names, fibers are started with runFork from a timer"
  }),
  ...pair({
    half: "first",
    name: "login-sessions",
    extension: "ts",
    kind: "live fibers",
    shape: "a fiber forked in a scope that is never closed",
    named: true,
    guilty: { names: ["Sessions.heartbeat", "Sessions.login", "heartbeat", "login"], lines: [[15, 20], [22, 31]] },
    rate: { individualsPerSecond: 14, bytesPerSecond: 123_000 },
    note: "forkIn the scope of the application; each wakes up twice a second"
  }),
  ...pair({
    half: "first",
    name: "report-archive",
    extension: "mjs",
    kind: "memory",
    shape: "ended fibers kept in an array",
    named: false,
    guilty: { names: ["renderReport", "startReport"], lines: [[9, 17], [19, 27], [30, 30]] },
    rate: { individualsPerSecond: 90, bytesPerSecond: 160_000 },
    note: "live fibers stay few: what grows is the results of ended ones; the number of kept fibers is 90 a second"
  }),
  ...pair({
    half: "first",
    name: "legacy-driver",
    extension: "ts",
    kind: "abandoned fibers",
    shape: "a callback that is dropped",
    named: true,
    guilty: {
      names: ["LegacyDriver.query", "lookUp", "query", "withSlot"],
      lines: [[12, 18], [23, 29], [31, 35], [37, 40]]
    },
    rate: { individualsPerSecond: 11.8, bytesPerSecond: 0 },
    note: "nothing grows but the number of slots that are never given back"
  }),
  ...pair({
    half: "first",
    name: "prepared-statements",
    extension: "ts",
    kind: "memory",
    shape: "finalizers that pile up in a long-lived scope",
    named: true,
    guilty: { names: ["Orders.find", "find", "prepare", "statement"], lines: [[15, 20], [29, 33], [35, 39]] },
    rate: { individualsPerSecond: 95, bytesPerSecond: 342_000 },
    note: "no fiber stays: each finalizer keeps a statement of about 2 KB"
  }),
  ...pair({
    half: "first",
    name: "price-quotes",
    extension: "ts",
    kind: "memory",
    shape: "a Map without eviction whose key is different each time",
    named: false,
    guilty: { names: ["calculate", "quote"], lines: [[17, 24], [26, 32]] },
    rate: { individualsPerSecond: 80, bytesPerSecond: 155_000 },
    note: "HTTP server and client; no names"
  }),
  ...pair({
    half: "first",
    name: "audit-trail",
    extension: "ts",
    kind: "memory",
    shape: "a Ref that holds a list without a limit",
    named: true,
    guilty: { names: ["change", "readDocument", "record"], lines: [[17, 17], [22, 22], [24, 28]] },
    rate: { individualsPerSecond: 80, bytesPerSecond: 57_000 },
    note: "beside it, search allocates and frees some megabytes a second"
  }),
  ...pair({
    half: "first",
    name: "referrer-slices",
    extension: "mjs",
    kind: "memory",
    shape: "string slices that keep their parent",
    named: false,
    guilty: { names: ["readLine", "referrerOf", "remember"], lines: [[8, 15], [17, 20], [22, 24]] },
    rate: { individualsPerSecond: 95, bytesPerSecond: 169_000 },
    note: "what is kept is small, what it keeps alive is the line it was cut from"
  }),
  ...pair({
    half: "first",
    name: "basket-memo",
    extension: "ts",
    kind: "memory",
    shape: "a Cache without capacity or time to live",
    named: true,
    guilty: { names: ["lookUpShipping", "checkout"], lines: [[13, 18], [20, 25]] },
    rate: { individualsPerSecond: 95, bytesPerSecond: 265_000 },
    note: "effect's own Cache with infinite capacity"
  }),
  ...pair({
    half: "first",
    name: "live-scores",
    extension: "ts",
    kind: "memory",
    shape: "a PubSub subscriber that never takes",
    named: true,
    guilty: { names: ["measure", "publisher"], lines: [[14, 17], [34, 39]] },
    rate: { individualsPerSecond: 95, bytesPerSecond: 117_000 },
    note:
      "the messages are allocated by the publisher; the one to blame is the subscription in archive, which no allocation site shows"
  }),
  ...pair({
    half: "first",
    name: "ingest-backlog",
    extension: "mjs",
    kind: "memory",
    shape: "an unbounded queue whose consumer is too slow",
    named: false,
    guilty: { names: ["parse"], lines: [[9, 16]] },
    rate: { individualsPerSecond: 50, bytesPerSecond: 111_000 },
    note: "HTTP server and client; no names; the oldest messages do leave the queue, but fewer than come"
  }),
  ...pair({
    half: "first",
    name: "tax-rates",
    extension: "ts",
    kind: "live fibers",
    shape: "an RcMap keyed by request, with a long idle time",
    named: true,
    guilty: { names: ["openTable", "priceOrder"], lines: [[14, 22], [24, 31]] },
    rate: { individualsPerSecond: 71.5, bytesPerSecond: 611_000 },
    note: "each entry keeps its table, and a fiber of the RcMap that sleeps until the idle time has passed"
  }),
  ...pair({
    half: "first",
    name: "shutdown-race",
    extension: "mjs",
    kind: "memory",
    shape: "a race against a promise that is never settled",
    named: false,
    guilty: { names: ["loadProfile", "orShutdown", "handle"], lines: [[8, 12], [14, 14], [16, 19]] },
    rate: { individualsPerSecond: 95, bytesPerSecond: 423_000 },
    note: "the reactions of one promise; the results hang on them"
  }),
  ...pair({
    half: "first",
    name: "ticker-listeners",
    extension: "ts",
    kind: "memory",
    shape: "event listeners that are never removed",
    named: true,
    guilty: { names: ["render", "nextTickFor"], lines: [[18, 21], [23, 27]] },
    rate: { individualsPerSecond: 80, bytesPerSecond: 116_000 },
    note: "the listeners of one emitter; each keeps its page and the fiber that has ended"
  }),
  ...pair({
    half: "first",
    name: "abort-signals",
    extension: "ts",
    kind: "memory",
    shape: "abort listeners that are never removed",
    named: true,
    guilty: { names: ["order", "callPartner", "giveUp"], lines: [[20, 34], [36, 41]] },
    rate: { individualsPerSecond: 38, bytesPerSecond: 200_000 },
    note: "HTTP client; each listener keeps the request, its response and its socket's buffers"
  }),
  ...pair({
    half: "first",
    name: "dashboard-intervals",
    extension: "cjs",
    kind: "memory",
    shape: "an interval for each visit that is never cleared",
    named: false,
    guilty: { names: ["openDashboard", "refresh"], lines: [[8, 18]] },
    rate: { individualsPerSecond: 19, bytesPerSecond: 169_000 },
    note: "CommonJS; 19 timers a second"
  }),
  ...pair({
    half: "first",
    name: "billing",
    extension: "ts",
    kind: "live fibers",
    shape: "fibers that wait for a Latch that is never opened",
    named: true,
    guilty: { names: ["Mailer.send", "Billing.receive", "send", "announce", "receive"], lines: [[24, 29], [32, 32]] },
    rate: { individualsPerSecond: 8.3, bytesPerSecond: 47_000 },
    note: "services and layers in four files; one tenant in twelve is concerned"
  }),
  ...pair({
    half: "first",
    name: "nightly-audit",
    extension: "ts",
    kind: "live fibers",
    shape: "fibers that wait for a Queue nobody fills",
    named: true,
    slow: true,
    guilty: { names: ["Audit.check", "Audit.watch", "check", "watch"], lines: [[13, 16], [18, 20]] },
    rate: { individualsPerSecond: 0.2, bytesPerSecond: 3_000 },
    note: "six fibers in 30 s"
  }),
  ...lookAlike({
    half: "first",
    name: "catalog-cache",
    extension: "ts",
    shape: "a cache that fills and stays",
    named: true,
    note: "HTTP; 500 products, all known at 40 % of the run"
  }),
  ...lookAlike({
    half: "first",
    name: "sawtooth-batches",
    extension: "ts",
    shape: "batches that are collected and written",
    named: true,
    note: "seven teeth in a run"
  }),
  ...lookAlike({
    half: "first",
    name: "traffic-ramp",
    extension: "mjs",
    shape: "traffic that rises for half of the run",
    named: false,
    note: "up to 60 live fibers, each over after half a second"
  }),
  ...lookAlike({
    half: "first",
    name: "boot-daemons",
    extension: "mjs",
    shape: "daemons that are started at boot",
    named: false,
    note: "300 fibers within the first tenth of the run, none later"
  }),
  ...lookAlike({
    half: "first",
    name: "late-drain",
    extension: "ts",
    shape: "a queue that is drained late",
    named: true,
    note: "grows until 40 % of the run, empty at about 65 %"
  }),
  ...lookAlike({
    half: "first",
    name: "recent-lru",
    extension: "mjs",
    shape: "a bounded LRU in its steady state",
    named: false,
    note: "300 entries, about four seconds each"
  }),
  ...lookAlike({
    half: "first",
    name: "lazy-tenants",
    extension: "ts",
    shape: "services that are built when they are first used",
    named: true,
    note: "80 tenants with a worker fiber each, the last at 40 % of the run"
  }),
  ...lookAlike({
    half: "first",
    name: "session-store",
    extension: "ts",
    shape: "a store whose entries expire",
    named: false,
    note: "HTTP; sessions expire after 12 % of the run"
  })
]
