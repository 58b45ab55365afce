/** The third part of the corpus. */
import type { Program } from "../manifest.ts"
import { lookAlike, pair } from "../support/entries.ts"

export const third: ReadonlyArray<Program> = [
  ...pair({
    half: "third",
    name: "invoice-downloads",
    extension: "mjs",
    kind: "off-heap memory",
    shape: "gzip streams of clients that went away",
    named: false,
    guilty: { names: ["startDownload", "server"], lines: [[13, 24], [35, 38]] },
    rate: { individualsPerSecond: 2.8, bytesPerSecond: 252_000 },
    note: "HTTP server and client; two customers in five hang up during their download"
  }),
  ...pair({
    half: "third",
    name: "device-acks",
    extension: "ts",
    kind: "live fibers",
    shape: "a FiberSet of the application instead of the connection",
    named: true,
    guilty: {
      names: ["Gateway.acknowledged", "acknowledged", "server", "timer"],
      lines: [[27, 34], [36, 49], [38, 42]]
    },
    rate: { individualsPerSecond: 5.5, bytesPerSecond: 50_000 },
    note: "TCP server and clients; layers"
  }),
  ...pair({
    half: "third",
    name: "theme-preview",
    extension: "ts",
    kind: "live fibers",
    shape: "a ManagedRuntime for each request that is never disposed of",
    named: false,
    guilty: { names: ["themeLayer", "showPreview"], lines: [[9, 24], [32, 35]] },
    rate: { individualsPerSecond: 7.6, bytesPerSecond: 86_000 },
    note: "promises around a small layer; each runtime has a fiber that wakes up every two seconds"
  }),
  ...pair({
    half: "third",
    name: "thumbnail-headers",
    extension: "mjs",
    kind: "off-heap memory",
    shape: "subarrays that keep their parent",
    named: false,
    guilty: { names: ["r", "h", "u"], lines: [[6, 6], [7, 7], [8, 13]] },
    rate: { individualsPerSecond: 11, bytesPerSecond: 996_000 },
    note: "one-letter names only; what is kept is small, what it keeps alive are the bytes it was cut from"
  }),
  ...pair({
    half: "third",
    name: "call-transcript",
    extension: "ts",
    kind: "memory",
    shape: "strings that are only ever added to",
    named: false,
    guilty: { names: ["sentence", "transcribe"], lines: [[12, 16], [21, 25]] },
    rate: { individualsPerSecond: 62, bytesPerSecond: 50_000 },
    note: "eight ropes in a HashMap"
  }),
  ...pair({
    half: "third",
    name: "sync-causes",
    extension: "ts",
    kind: "memory",
    shape: "an error whose cause is the error before",
    named: true,
    guilty: {
      names: ["Contacts.push", "Contacts.sync", "push", "sync", "readContacts"],
      lines: [[22, 24], [26, 30], [32, 42]]
    },
    rate: { individualsPerSecond: 5.5, bytesPerSecond: 34_000 },
    note: "a chain of tagged errors, each with its batch"
  }),
  ...pair({
    half: "third",
    name: "wiki-locks",
    extension: "ts",
    kind: "memory",
    shape: "a chain of promises behind one that is never settled",
    named: false,
    guilty: { names: ["run", "afterSave", "edit", "author"], lines: [[12, 16], [32, 36], [38, 45], [48, 53]] },
    rate: { individualsPerSecond: 13, bytesPerSecond: 83_000 },
    note: "classes and async functions; one page in seven is concerned"
  }),
  ...pair({
    half: "third",
    name: "frame-ports",
    extension: "mjs",
    kind: "memory",
    shape: "message ports that are never closed",
    named: false,
    guilty: { names: ["brightness", "camera"], lines: [[11, 21], [24, 30]] },
    rate: { individualsPerSecond: 13, bytesPerSecond: 42_000 },
    note: "a worker thread with a channel for each job; each port is a handle, and keeps its frame"
  }),
  ...pair({
    half: "third",
    name: "flag-lru",
    extension: "mjs",
    kind: "memory",
    shape: "an LRU whose evicted entries stay in its linked list",
    named: false,
    guilty: { names: ["lru", "set", "evaluate", "flags"], lines: [[6, 25], [11, 23], [29, 29], [31, 39]] },
    rate: { individualsPerSecond: 60, bytesPerSecond: 242_000 },
    note: "the Map of the LRU stays at its capacity"
  }),
  ...pair({
    half: "third",
    name: "city-search",
    extension: "ts",
    kind: "abandoned fibers",
    shape: "a debounce that never answers the calls it skips",
    named: false,
    guilty: { names: ["debounced", "search"], lines: [[13, 23], [25, 29]] },
    rate: { individualsPerSecond: 9.5, bytesPerSecond: 0 },
    note: "Effect.callback, and promises that are never settled"
  }),
  ...pair({
    half: "third",
    name: "mail-outbox",
    extension: "ts",
    kind: "live fibers",
    shape: "fibers that wait for room in a queue whose consumer has died",
    named: true,
    guilty: {
      names: ["Outbox.send", "Shop.order", "send", "order", "drain", "shop"],
      lines: [[36, 39], [42, 44], [52, 62], [64, 68]]
    },
    rate: { individualsPerSecond: 26, bytesPerSecond: 215_000 },
    note: "services and layers; the consumer dies after a second, the queue is full two seconds later"
  }),
  ...pair({
    half: "third",
    name: "price-watch",
    extension: "ts",
    kind: "memory",
    shape: "a loop that is a recursion, on the stack of one fiber",
    named: true,
    guilty: { names: ["Prices.watch", "Prices.fetch", "watch", "fetchPrices"], lines: [[15, 22], [24, 31]] },
    rate: { individualsPerSecond: 27, bytesPerSecond: 220_000 },
    note: "one live fiber, which grows"
  }),
  ...pair({
    half: "third",
    name: "machine-groups",
    extension: "ts",
    kind: "live fibers",
    shape: "groups of a stream that are never closed",
    named: false,
    guilty: {
      names: ["factory", "telegram", "mean", "groupByKey", "mapEffect"],
      lines: [[17, 25], [18, 18], [19, 23]]
    },
    rate: { individualsPerSecond: 4, bytesPerSecond: 31_000 },
    note: "Stream.groupByKey without an idle time; a fiber for each group"
  }),
  ...pair({
    half: "third",
    name: "quote-deadlines",
    extension: "mjs",
    kind: "memory",
    shape: "timers of deadlines that are never cleared",
    named: false,
    guilty: { names: ["withDeadline", "quote", "server"], lines: [[10, 17], [24, 25], [27, 30]] },
    rate: { individualsPerSecond: 38, bytesPerSecond: 114_000 },
    note: "HTTP server and client; unreferenced timers of a quarter of an hour, each keeps its request"
  }),
  ...pair({
    half: "third",
    name: "tenant-notes",
    extension: "mjs",
    kind: "memory",
    shape: "a WeakMap whose keys stay",
    named: false,
    slow: true,
    guilty: { names: ["note", "handle"], lines: [[10, 13], [16, 23]] },
    rate: { individualsPerSecond: 2.1, bytesPerSecond: 6_000 },
    note: "one request in forty leaves a note of about 2 KB"
  }),
  ...pair({
    half: "third",
    name: "rate-tables",
    extension: "ts",
    kind: "memory",
    shape: "Effect.cached, kept by the identity of its argument",
    named: true,
    slow: true,
    guilty: {
      names: ["Rates.compute", "Rates.settle", "settle", "table", "memo"],
      lines: [[14, 25], [27, 32], [42, 44]]
    },
    rate: { individualsPerSecond: 1.4, bytesPerSecond: 13_000 },
    note: "amid traffic that asks for the same table again and again"
  }),
  ...pair({
    half: "third",
    name: "feed-headline",
    extension: "ts",
    kind: "live fibers",
    shape: "an async iterator that is never returned",
    named: false,
    slow: true,
    guilty: { names: ["headline", "feed", "polled"], lines: [[9, 12], [13, 13], [15, 19]] },
    rate: { individualsPerSecond: 0.5, bytesPerSecond: 19_000 },
    note: "Stream.toAsyncIterable; each leaves a fiber that polls"
  }),
  ...lookAlike({
    half: "third",
    name: "render-buffers",
    extension: "mjs",
    shape: "a free list that grows to what is needed",
    named: false,
    note: "HTTP; some 70 buffers of 128 KB off the heap, the last made at about 40 % of the run"
  }),
  ...lookAlike({
    half: "third",
    name: "event-compaction",
    extension: "ts",
    shape: "a log that is compacted",
    named: true,
    note: "three teeth in a run"
  }),
  ...lookAlike({
    half: "third",
    name: "big-answers",
    extension: "mjs",
    shape: "much garbage, some of it long-lived",
    named: false,
    note: "big objects, and a bounded list of the last 200 answers"
  }),
  ...lookAlike({
    half: "third",
    name: "terminal-connections",
    extension: "ts",
    shape: "connections that are opened one after the other and kept",
    named: false,
    note: "TCP; 70 connections with two fibers at most each, the last at 40 % of the run; some are replaced"
  }),
  ...lookAlike({
    half: "third",
    name: "drifting-cache",
    extension: "ts",
    shape: "a full cache whose keys move on",
    named: false,
    note: "ScopedCache of 600 entries, full at about 45 % of the run"
  }),
  ...lookAlike({
    half: "third",
    name: "weak-intern",
    extension: "mjs",
    shape: "a table of weak references that is swept after collections",
    named: false,
    note: "grows until the next major collection"
  }),
  ...lookAlike({
    half: "third",
    name: "upstream-outage",
    extension: "ts",
    shape: "fibers that try again until an outage is over",
    named: true,
    note: "live fibers from 15 % to 55 % of the run, gone at 65 %"
  }),
  ...lookAlike({
    half: "third",
    name: "video-batches",
    extension: "ts",
    shape: "uploads that are put together from many parts",
    named: false,
    note: "HTTP; three big teeth of some 9 MB off the heap in a run, smaller ones between them"
  })
]
