/** The fifth part of the corpus. */
import type { Program } from "../manifest.ts"
import { lookAlike, pair } from "../support/entries.ts"

export const fifth: ReadonlyArray<Program> = [
  ...pair({
    half: "fifth",
    name: "shipping-labels",
    extension: "ts",
    kind: "live fibers",
    shape: "calls of a service that never answers, without a timeout",
    named: true,
    guilty: { names: ["Labels.buy", "buy", "placeOrder"], lines: [[33, 38], [44, 50]] },
    rate: { individualsPerSecond: 17.9, bytesPerSecond: 236_000 },
    note: "HttpRouter and NodeHttpClient; one order in ten, with three fibers and a socket of its own"
  }),
  ...pair({
    half: "fifth",
    name: "report-quota",
    extension: "ts",
    kind: "live fibers",
    shape: "waiters of a rate limiter that is asked for more than its limit",
    named: true,
    guilty: {
      names: ["Drawing.draw", "draw", "withLimit", "Reports.make", "makeReport"],
      lines: [[18, 18], [25, 30], [41, 51], [53, 57]]
    },
    rate: { individualsPerSecond: 17.3, bytesPerSecond: 217_000 },
    note: "effect's own RateLimiter; each waits longer than the one before"
  }),
  ...pair({
    half: "fifth",
    name: "weather-tiles",
    extension: "mjs",
    kind: "live fibers",
    shape: "answers that are not read, so that an agent runs out of connections",
    named: false,
    guilty: { names: ["agent", "tile", "showMap"], lines: [[13, 13], [15, 24], [32, 37], [43, 43]] },
    rate: { individualsPerSecond: 20.6, bytesPerSecond: 130_000 },
    note: "HTTP; the six connections are lost within the first seconds, then everybody waits for one"
  }),
  ...pair({
    half: "fifth",
    name: "courier-positions",
    extension: "ts",
    kind: "live fibers",
    shape: "a fiber for each reconnect, in a FiberMap that is keyed by connection",
    named: false,
    slow: true,
    guilty: { names: ["ping", "arrived", "server"], lines: [[21, 24], [26, 31], [33, 43]] },
    rate: { individualsPerSecond: 1.1, bytesPerSecond: 17_000 },
    note: "TCP; twelve phones; each fiber wakes up every 0.8 s"
  }),
  ...pair({
    half: "fifth",
    name: "avatar-queue",
    extension: "mjs",
    kind: "abandoned fibers",
    shape: "jobs that slide out of a queue, with the Deferred they were to complete",
    named: false,
    guilty: { names: ["avatar", "profile", "sliding"], lines: [[19, 25], [27, 33], [36, 36], [40, 40]] },
    rate: { individualsPerSecond: 7.2, bytesPerSecond: 0 },
    note: "no names; nothing grows"
  }),
  ...pair({
    half: "fifth",
    name: "log-tail",
    extension: "ts",
    kind: "abandoned fibers",
    shape: "a wait for the drain of a socket that is closed",
    named: true,
    guilty: { names: ["tail", "drained", "server"], lines: [[12, 15], [17, 25], [32, 36]] },
    rate: { individualsPerSecond: 5.5, bytesPerSecond: 0 },
    note: "TCP; readers that stop reading and hang up; many megabytes a second go through kernel buffers"
  }),
  ...pair({
    half: "fifth",
    name: "file-conversions",
    extension: "ts",
    kind: "memory",
    shape: "ended fibers in a table of jobs",
    named: false,
    guilty: { names: ["jobs", "start", "convert"], lines: [[19, 19], [22, 30], [32, 36]] },
    rate: { individualsPerSecond: 16.5, bytesPerSecond: 143_000 },
    note: "HttpRouter; the results hang on the fibers"
  }),
  ...pair({
    half: "fifth",
    name: "csv-imports",
    extension: "ts",
    kind: "memory",
    shape: "finalizers in the scope of a stream that does not end",
    named: true,
    guilty: {
      names: ["import-file", "importFile", "openFile", "CsvFile"],
      lines: [[9, 22], [24, 28], [30, 35], [47, 47]]
    },
    rate: { individualsPerSecond: 41, bytesPerSecond: 225_000 },
    note: "acquireRelease in Stream.mapEffect; what is kept are the rows of each file"
  }),
  ...pair({
    half: "fifth",
    name: "price-refresher",
    extension: "ts",
    kind: "memory",
    shape: "a chain of spans, each the parent of the next",
    named: true,
    guilty: { names: ["keepFresh"], lines: [[29, 34], [42, 42]] },
    rate: { individualsPerSecond: 65, bytesPerSecond: 85_000 },
    note: "fibers that fork their own successors: 20 live ones at any time"
  }),
  ...pair({
    half: "fifth",
    name: "visit-funnel",
    extension: "ts",
    kind: "memory",
    shape: "the state of Stream.mapAccum, which is only added to",
    named: false,
    guilty: {
      names: ["advance", "funnel", "mapAccum", "parse", "server"],
      lines: [[17, 20], [24, 29], [31, 35], [32, 32], [37, 40]]
    },
    rate: { individualsPerSecond: 14, bytesPerSecond: 87_000 },
    note: "HTTP; a HashMap in the stream, in a closure of one fiber"
  }),
  ...pair({
    half: "fifth",
    name: "receipt-mailer",
    extension: "ts",
    kind: "memory",
    shape: "runCollect of a stream that does not end",
    named: true,
    guilty: {
      names: ["mail-receipts", "mailReceipts", "runCollect", "send", "receipts", "Receipt"],
      lines: [[9, 16], [22, 25], [43, 47], [53, 61], [59, 59]]
    },
    rate: { individualsPerSecond: 59, bytesPerSecond: 107_000 },
    note: "Schema classes, services and layers; an array within Stream.runCollect"
  }),
  ...pair({
    half: "fifth",
    name: "order-audit",
    extension: "ts",
    kind: "memory",
    shape: "a PubSub without a limit and a subscriber at half the pace",
    named: false,
    guilty: {
      names: ["Orders", "place", "each", "record"],
      lines: [[15, 36], [23, 28], [30, 35], [41, 45], [62, 62], [65, 65]]
    },
    rate: { individualsPerSecond: 32, bytesPerSecond: 183_000 },
    note: "classes; another subscriber keeps up"
  }),
  ...pair({
    half: "fifth",
    name: "meter-readings",
    extension: "mjs",
    kind: "memory",
    shape: "events.on() and a consumer at four fifths of the pace",
    named: false,
    guilty: { names: ["readings", "store", "server"], lines: [[13, 18], [20, 22], [24, 27], [30, 32]] },
    rate: { individualsPerSecond: 23, bytesPerSecond: 81_000 },
    note: "TCP; an async generator as a stream; readings do leave the buffer, but fewer than come"
  }),
  ...pair({
    half: "fifth",
    name: "health-cron",
    extension: "ts",
    kind: "memory",
    shape: "a history without a limit",
    named: true,
    slow: true,
    guilty: {
      names: ["Health.check", "check", "Health.probe", "probe", "history"],
      lines: [[23, 23], [25, 29], [31, 34]]
    },
    rate: { individualsPerSecond: 1, bytesPerSecond: 2_000 },
    note: "a cron job, amid traffic that reads the last ten entries"
  }),
  ...pair({
    half: "fifth",
    name: "sql-errors",
    extension: "ts",
    kind: "memory",
    shape: "words of a frequency metric that hold values",
    named: true,
    guilty: {
      names: ["failures", "describe", "Database.execute", "execute", "insert"],
      lines: [[15, 15], [17, 17], [24, 32], [34, 37]]
    },
    rate: { individualsPerSecond: 35, bytesPerSecond: 55_000 },
    note: "one metric with a Map that grows"
  }),
  ...pair({
    half: "fifth",
    name: "kitchen-screens",
    extension: "cjs",
    kind: "memory",
    shape: "subscriptions to a diagnostics channel that do not end",
    named: false,
    guilty: { names: ["Screen", "turnOn", "watch"], lines: [[14, 33], [25, 28], [35, 40]] },
    rate: { individualsPerSecond: 5.5, bytesPerSecond: 156_000 },
    note: "CommonJS; bound methods of class instances"
  }),
  ...pair({
    half: "fifth",
    name: "letter-previews",
    extension: "mjs",
    kind: "memory",
    shape: "files that go on being watched",
    named: false,
    guilty: { names: ["Preview", "render", "edit"], lines: [[15, 30], [22, 25], [32, 37]] },
    rate: { individualsPerSecond: 6, bytesPerSecond: 156_000 },
    note: "handles of fs.watch, each with its preview"
  }),
  ...pair({
    half: "fifth",
    name: "call-recordings",
    extension: "ts",
    kind: "off-heap memory",
    shape: "chunks of connections that broke",
    named: true,
    guilty: { names: ["Recorder", "sound", "begin", "exchange"], lines: [[11, 35], [21, 24], [25, 25], [39, 48]] },
    rate: { individualsPerSecond: 2.5, bytesPerSecond: 216_000 },
    note: "TCP; one call in four; chunks of 2 KB keep the slab they were cut from; the heap does not grow"
  }),
  ...lookAlike({
    half: "fifth",
    name: "recipe-cache",
    extension: "ts",
    shape: "a cache that fills to its capacity",
    named: true,
    note: "HttpRouter; 400 entries at 45 % of the run, then evictions"
  }),
  ...lookAlike({
    half: "fifth",
    name: "tenant-layers",
    extension: "ts",
    shape: "layers that are built when they are first used, and go when they are idle",
    named: true,
    note: "LayerMap; some 100 tenants with a fiber each at 40 % of the run, then some go and some come"
  }),
  ...lookAlike({
    half: "fifth",
    name: "checkout-saturation",
    extension: "ts",
    shape: "a queue before a semaphore that is nearly always busy",
    named: true,
    note: "five crowds in a run; waits are long at times, but end"
  }),
  ...lookAlike({
    half: "fifth",
    name: "status-page",
    extension: "mjs",
    shape: "a service with hardly any traffic",
    named: false,
    note: "HTTP; a check a second, and twenty results in a ring"
  }),
  ...lookAlike({
    half: "fifth",
    name: "reconnect-storm",
    extension: "ts",
    shape: "connections that are all lost and come back",
    named: true,
    note: "TCP; 70 connections; twice, at 20 % and 38 % of the run"
  }),
  ...lookAlike({
    half: "fifth",
    name: "sliding-stats",
    extension: "ts",
    shape: "a window of time",
    named: false,
    note: "SynchronizedRef and SubscriptionRef; the window is a fifth of the run"
  }),
  ...lookAlike({
    half: "fifth",
    name: "ledger-documents",
    extension: "ts",
    shape: "much garbage from JSON and schemas",
    named: true,
    note: "RequestResolver with a cache of 60"
  }),
  ...lookAlike({
    half: "fifth",
    name: "cart-expiry",
    extension: "ts",
    shape: "sessions that expire",
    named: false,
    note: "HTTP; a FiberMap; expire after an eighth of the run; traffic rises for a third of it"
  }),
  ...lookAlike({
    half: "fifth",
    name: "slab-allocator",
    extension: "mjs",
    shape: "slabs of shared memory that are used again",
    named: false,
    note: "72 slabs of 128 KB off the heap, the last at 45 % of the run"
  }),
  ...lookAlike({
    half: "fifth",
    name: "ticket-onsale",
    extension: "ts",
    shape: "a crowd that waits for a semaphore",
    named: true,
    note: "nearly 500 waiting fibers at 35 % of the run, none at 56 %"
  }),
  ...lookAlike({
    half: "fifth",
    name: "log-shipper",
    extension: "ts",
    shape: "log entries that are shipped in batches, and metrics that are used one after the other",
    named: true,
    note: "ten teeth in a run; 180 series at 40 % of it"
  }),
  ...lookAlike({
    half: "fifth",
    name: "route-planner",
    extension: "mjs",
    shape: "an LRU of promises in its steady state",
    named: false,
    note: "220 entries; an AbortController for each"
  })
]
