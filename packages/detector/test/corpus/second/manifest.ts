/** The second half of the corpus. */
import type { Program } from "../manifest.ts"
import { lookAlike, pair } from "../support/entries.ts"

export const second: ReadonlyArray<Program> = [
  ...pair({
    half: "second",
    name: "chat-longpoll",
    extension: "ts",
    kind: "live fibers",
    shape: "fibers of clients that have gone",
    named: false,
    guilty: { names: ["poll", "wait"], lines: [[17, 23], [41, 48]] },
    rate: { individualsPerSecond: 12.4, bytesPerSecond: 111_000 },
    note: "HTTP long polling with a client that hangs up; half of the rooms are written to, and their fibers do end"
  }),
  ...pair({
    half: "second",
    name: "starved-semaphore",
    extension: "ts",
    kind: "live fibers",
    shape: "waiters of a semaphore whose permits are lost",
    named: true,
    guilty: { names: ["Thumbnails.thumbnail", "thumbnail", "arrival"], lines: [[20, 25], [29, 29]] },
    rate: { individualsPerSecond: 55.5, bytesPerSecond: 283_000 },
    note: "the permits are lost within the first three seconds"
  }),
  ...pair({
    half: "second",
    name: "pool-checkout",
    extension: "ts",
    kind: "live fibers",
    shape: "waiters of a pool whose leases are never given back",
    named: true,
    guilty: { names: ["Stock.query", "Stock.count", "page", "query", "count"], lines: [[19, 25], [27, 33], [42, 46]] },
    rate: { individualsPerSecond: 39.9, bytesPerSecond: 491_000 },
    note: "services and layers in two files; the pool is empty after four seconds"
  }),
  ...pair({
    half: "second",
    name: "watchlist-changes",
    extension: "ts",
    kind: "live fibers",
    shape: "subscriptions to a SubscriptionRef that are never closed",
    named: true,
    guilty: { names: ["Watchlist.page", "Watchlist.follow", "follow", "watchlist"], lines: [[14, 19], [21, 26]] },
    rate: { individualsPerSecond: 8, bytesPerSecond: 101_000 },
    note: "spans instead of Effect.fn; the fibers are live and busy, each reads every change"
  }),
  ...pair({
    half: "second",
    name: "telemetry-buffer",
    extension: "mjs",
    kind: "memory",
    shape: "a stream buffer without a limit before a slow sink",
    named: false,
    guilty: { names: ["read", "readings"], lines: [[16, 23], [28, 30]] },
    rate: { individualsPerSecond: 45, bytesPerSecond: 98_000 },
    note: "a method of a class with private fields allocates"
  }),
  ...pair({
    half: "second",
    name: "upload-buffers",
    extension: "ts",
    kind: "off-heap memory",
    shape: "Buffers that are kept",
    named: true,
    guilty: { names: ["Uploads.receive", "receive"], lines: [[18, 24], [31, 32]] },
    rate: { individualsPerSecond: 22, bytesPerSecond: 307_000 },
    note: "HTTP uploads of 12 KB; the heap itself hardly grows"
  }),
  ...pair({
    half: "second",
    name: "route-metrics",
    extension: "ts",
    kind: "memory",
    shape: "metric attributes without a bound",
    named: false,
    guilty: { names: ["measured", "handle"], lines: [[15, 23], [27, 30]] },
    rate: { individualsPerSecond: 80, bytesPerSecond: 155_000 },
    note: "two series for each request in effect's registry of metrics"
  }),
  ...pair({
    half: "second",
    name: "cursor-generators",
    extension: "mjs",
    kind: "memory",
    shape: "generators that are never closed",
    named: false,
    guilty: {
      names: ["search", "firstPage", "session", "newSearch"],
      lines: [[11, 19], [21, 26], [30, 34], [37, 37], [40, 40]]
    },
    rate: { individualsPerSecond: 32, bytesPerSecond: 402_000 },
    note: "sync generators, suspended within a try"
  }),
  ...pair({
    half: "second",
    name: "context-chain",
    extension: "mjs",
    kind: "memory",
    shape: "a chain of AsyncLocalStorage contexts",
    named: false,
    guilty: { names: ["newContext", "runJob", "scheduleJob"], lines: [[27, 31], [33, 37], [39, 41]] },
    rate: { individualsPerSecond: 60, bytesPerSecond: 62_000 },
    note: "each context is reachable from the next one only"
  }),
  ...pair({
    half: "second",
    name: "span-exporter",
    extension: "ts",
    kind: "memory",
    shape: "a tracer that keeps the spans it could not export",
    named: true,
    guilty: { names: ["request", "loadUser", "span", "flush", "end"], lines: [[16, 24], [46, 50], [54, 57], [61, 65]] },
    rate: { individualsPerSecond: 160, bytesPerSecond: 121_000 },
    note: "a tracer of the program's own; the buffer is copied at each flush"
  }),
  ...pair({
    half: "second",
    name: "dedupe-inflight",
    extension: "ts",
    kind: "memory",
    shape: "an error path that forgets to delete",
    named: false,
    guilty: { names: ["fillIn", "file", "submit"], lines: [[29, 39], [57, 60]] },
    rate: { individualsPerSecond: 22, bytesPerSecond: 248_000 },
    note: "fetch against an HTTP server that answers every second call with 503"
  }),
  ...pair({
    half: "second",
    name: "circuit-breakers",
    extension: "mjs",
    kind: "memory",
    shape: "retry state kept by URL",
    named: false,
    guilty: {
      names: ["breakerFor", "track", "Breaker", "keyOf", "note"],
      lines: [[22, 27], [32, 32], [34, 38], [40, 50]]
    },
    rate: { individualsPerSecond: 95, bytesPerSecond: 111_000 },
    note: "a class instance with a typed array for each URL, a part of it off the heap"
  }),
  ...pair({
    half: "second",
    name: "request-layers",
    extension: "ts",
    kind: "live fibers",
    shape: "a LayerMap keyed by request, with a long idle time",
    named: true,
    guilty: {
      names: ["Library.browse", "browse", "visit", "layerFor", "library"],
      lines: [[24, 28], [32, 35], [37, 40]]
    },
    rate: { individualsPerSecond: 49.4, bytesPerSecond: 365_000 },
    note: "each entry is a layer with its scope and a sleeping fiber, and about 8 KB"
  }),
  ...pair({
    half: "second",
    name: "flush-hooks",
    extension: "ts",
    kind: "memory",
    shape: "callbacks that capture their request",
    named: false,
    guilty: { names: ["readOrder", "save", "onFlush"], lines: [[22, 24], [36, 39], [41, 49]] },
    rate: { individualsPerSecond: 75, bytesPerSecond: 112_000 },
    note: "closures in an array of hooks; the clean twin empties it at each flush"
  }),
  ...pair({
    half: "second",
    name: "keepalive-sockets",
    extension: "mjs",
    kind: "memory",
    shape: "sockets that are never closed",
    named: false,
    guilty: { names: ["openConnection", "question", "ask"], lines: [[16, 21], [23, 30], [32, 32]] },
    rate: { individualsPerSecond: 11, bytesPerSecond: 39_000 },
    note: "22 handles a second, both ends are in the process"
  }),
  ...pair({
    half: "second",
    name: "order-desk",
    extension: "ts",
    kind: "live fibers",
    shape: "subscriptions that wait for an event that never comes",
    named: true,
    guilty: { names: ["Tracking.follow", "follow", "until"], lines: [[18, 27]] },
    rate: { individualsPerSecond: 3.2, bytesPerSecond: 62_000 },
    note: "services and layers in three files; live fibers that read all events of others"
  }),
  ...pair({
    half: "second",
    name: "memory-logger",
    extension: "ts",
    kind: "memory",
    shape: "a logger that keeps its entries",
    named: false,
    guilty: { names: ["transfer", "pageLogger"], lines: [[11, 13], [19, 24]] },
    rate: { individualsPerSecond: 70, bytesPerSecond: 83_000 },
    note: "the entries refer to fibers that have ended"
  }),
  ...pair({
    half: "second",
    name: "orphan-leases",
    extension: "mjs",
    kind: "abandoned fibers",
    shape: "the handle of a fiber that waits for ever is dropped",
    named: false,
    guilty: { names: ["hold", "Editor", "constructor", "edit"], lines: [[17, 17], [20, 23], [32, 39], [43, 43]] },
    rate: { individualsPerSecond: 12.7, bytesPerSecond: 6_000 },
    note: "runFork(Effect.never) with a finalizer; the handle was the only way to end it"
  }),
  ...pair({
    half: "second",
    name: "token-drip",
    extension: "ts",
    kind: "memory",
    shape: "a Map that is never cleared",
    named: true,
    slow: true,
    guilty: { names: ["Tokens.renew", "renew"], lines: [[12, 16]] },
    rate: { individualsPerSecond: 2.4, bytesPerSecond: 4_000 },
    note: "less than 2 KB a second amid traffic"
  }),
  ...pair({
    half: "second",
    name: "poller-drip",
    extension: "mjs",
    kind: "live fibers",
    shape: "pollers that are not replaced but added",
    named: false,
    slow: true,
    guilty: { names: ["poll", "reload"], lines: [[11, 14], [16, 18]] },
    rate: { individualsPerSecond: 0.4, bytesPerSecond: 2_000 },
    note: "seven fibers in 30 s"
  }),
  ...lookAlike({
    half: "second",
    name: "night-migration",
    extension: "ts",
    shape: "a migration that happens once",
    named: true,
    note: "some 10 MB during the first 45 % of the run"
  }),
  ...lookAlike({
    half: "second",
    name: "flash-sales",
    extension: "ts",
    shape: "bursts",
    named: true,
    note: "250 fibers at once, five times in a run"
  }),
  ...lookAlike({
    half: "second",
    name: "day-and-night",
    extension: "mjs",
    shape: "traffic that swings",
    named: false,
    note: "three periods in a run"
  }),
  ...lookAlike({
    half: "second",
    name: "pool-warmup",
    extension: "ts",
    shape: "a pool that warms up",
    named: false,
    note: "up to 60 connections with a fiber each during the first third of the run"
  }),
  ...lookAlike({
    half: "second",
    name: "latency-histogram",
    extension: "mjs",
    shape: "a histogram that fills slowly",
    named: false,
    note: "at most 120 buckets of six examples, the last are used from 45 % of the run on"
  }),
  ...lookAlike({
    half: "second",
    name: "long-exports",
    extension: "ts",
    shape: "jobs that are long but end",
    named: true,
    note: "a fifth of the run each"
  }),
  ...lookAlike({
    half: "second",
    name: "subscriber-fleet",
    extension: "ts",
    shape: "subscribers that come one after the other and stay",
    named: false,
    note: "150 fibers during the first 35 % of the run"
  }),
  ...lookAlike({
    half: "second",
    name: "template-warmup",
    extension: "mjs",
    shape: "templates that are compiled when they are first used",
    named: false,
    note: "much garbage; 160 compiled templates, the last at about 40 % of the run"
  })
]
