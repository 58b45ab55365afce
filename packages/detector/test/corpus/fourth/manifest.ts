/** The fourth part of the corpus. */
import type { Program } from "../manifest.ts"
import { lookAlike, pair } from "../support/entries.ts"

export const fourth: ReadonlyArray<Program> = [
  ...pair({
    half: "fourth",
    name: "upload-progress",
    extension: "mjs",
    kind: "live fibers",
    shape: "a loop that is detached from its request",
    named: false,
    guilty: { names: ["worker", "handler"], lines: [[8, 14], [16, 22]] },
    rate: { individualsPerSecond: 11.4, bytesPerSecond: 33_000 },
    note: "short, with generic names; one request in nine is an upload"
  }),
  ...pair({
    half: "fourth",
    name: "config-watchers",
    extension: "ts",
    kind: "live fibers",
    shape: "a FiberMap whose key is different each time",
    named: true,
    guilty: {
      names: ["gateway.watch", "gateway.serve", "watch", "serve", "settingsOf"],
      lines: [[18, 21], [23, 33], [35, 45]]
    },
    rate: { individualsPerSecond: 7, bytesPerSecond: 37_000 },
    note: "spans; one tenant of forty, amid daemons, an LRU and bursts of garbage"
  }),
  ...pair({
    half: "fourth",
    name: "csv-import",
    extension: "ts",
    kind: "abandoned fibers",
    shape: "a consumer whose queue is not ended when the producer fails",
    named: true,
    guilty: { names: ["Import.store", "Import.file", "store", "importFile"], lines: [[26, 32], [34, 41]] },
    rate: { individualsPerSecond: 8.3, bytesPerSecond: 0 },
    note: "an error path: one file in six has a bad line"
  }),
  ...pair({
    half: "fourth",
    name: "scan-worker",
    extension: "mjs",
    kind: "memory",
    shape: "a scope around a loop instead of one of its turns",
    named: false,
    guilty: { names: ["openChannel", "worker", "main"], lines: [[8, 11], [21, 25], [27, 27]] },
    rate: { individualsPerSecond: 50, bytesPerSecond: 189_000 },
    note: "short, with generic names; one fiber in all"
  }),
  ...pair({
    half: "fourth",
    name: "stock-reservations",
    extension: "ts",
    kind: "memory",
    shape: "what is undone after a success only",
    named: true,
    guilty: { names: ["Stock.reserve", "Shop.checkout", "reserve", "checkout"], lines: [[17, 24], [30, 37]] },
    rate: { individualsPerSecond: 8.2, bytesPerSecond: 64_000 },
    note: "a HashMap in a SynchronizedRef; one request in ten times out; two files"
  }),
  ...pair({
    half: "fourth",
    name: "ecg-trend",
    extension: "ts",
    kind: "memory",
    shape: "a linked list in the state of Stream.scan",
    named: false,
    guilty: { names: ["beats", "scan"], lines: [[12, 15], [21, 24]] },
    rate: { individualsPerSecond: 88, bytesPerSecond: 73_000 },
    note: "anonymous functions only"
  }),
  ...pair({
    half: "fourth",
    name: "vault-lease",
    extension: "mjs",
    kind: "memory",
    shape: "the state of a Schedule",
    named: false,
    slow: true,
    guilty: { names: ["lease", "fromStep"], lines: [[8, 14], [18, 25]] },
    rate: { individualsPerSecond: 1, bytesPerSecond: 3_000 },
    note: "anonymous functions only; one renewal a second amid traffic"
  }),
  ...pair({
    half: "fourth",
    name: "locale-panels",
    extension: "ts",
    kind: "memory",
    shape: "a listener that is removed as another function",
    named: false,
    guilty: {
      names: ["Panel", "constructor", "listener", "mount", "showPage"],
      lines: [[17, 19], [21, 23], [25, 28], [43, 48]]
    },
    rate: { individualsPerSecond: 33, bytesPerSecond: 263_000 },
    note: "EventTarget; each listener keeps its panel"
  }),
  ...pair({
    half: "fourth",
    name: "chat-pings",
    extension: "cjs",
    kind: "memory",
    shape: "a chain of timers of which the first is cleared",
    named: false,
    guilty: { names: ["server", "ping"], lines: [[18, 31], [20, 24]] },
    rate: { individualsPerSecond: 9, bytesPerSecond: 60_000 },
    note: "CommonJS; TCP server and clients; each chain keeps its socket, which is closed"
  }),
  ...pair({
    half: "fourth",
    name: "pdf-queue",
    extension: "ts",
    kind: "live fibers",
    shape: "waiters of a semaphore that has too few permits",
    named: false,
    guilty: { names: ["printer", "render", "handler"], lines: [[11, 11], [13, 17], [19, 24], [27, 27]] },
    rate: { individualsPerSecond: 32.8, bytesPerSecond: 133_000 },
    note: "the permit is given back each time; short, with generic names"
  }),
  ...pair({
    half: "fourth",
    name: "embedding-index",
    extension: "mjs",
    kind: "off-heap memory",
    shape: "typed arrays that are marked as deleted",
    named: false,
    guilty: { names: ["upsert", "embed", "change", "VectorIndex"], lines: [[11, 15], [31, 35], [37, 41]] },
    rate: { individualsPerSecond: 42, bytesPerSecond: 138_000 },
    note: "vectors of 3 KB in an array that is a private field"
  }),
  ...pair({
    half: "fourth",
    name: "auction-archive",
    extension: "ts",
    kind: "memory",
    shape: "a PubSub with a subscriber that is half as fast as the publisher",
    named: true,
    guilty: {
      names: ["Archive.write", "Auction.archive", "write", "archive", "placeBid", "auction"],
      lines: [[11, 14], [16, 22], [30, 36], [38, 46]]
    },
    rate: { individualsPerSecond: 68, bytesPerSecond: 119_000 },
    note: "another subscriber keeps up; three files; the first bids do leave"
  }),
  ...pair({
    half: "fourth",
    name: "meter-upload",
    extension: "mjs",
    kind: "memory",
    shape: "the buffer of a Stream.callback whose sink takes one in ten",
    named: false,
    guilty: { names: ["meters", "callback", "listener"], lines: [[11, 11], [17, 26], [20, 20]] },
    rate: { individualsPerSecond: 88, bytesPerSecond: 80_000 },
    note: "anonymous functions only"
  }),
  ...pair({
    half: "fourth",
    name: "orders-api",
    extension: "ts",
    kind: "memory",
    shape: "fibers that have failed, in a Set",
    named: true,
    guilty: { names: ["sending", "confirm", "placeOrder"], lines: [[20, 20], [22, 26], [28, 36]] },
    rate: { individualsPerSecond: 11, bytesPerSecond: 64_000 },
    note: "HttpRouter and NodeHttpServer with clients over loopback; an error path: one mail in five is rejected"
  }),
  ...pair({
    half: "fourth",
    name: "breadcrumbs",
    extension: "ts",
    kind: "memory",
    shape: "the default value of a Context.Reference that is written to",
    named: true,
    guilty: {
      names: ["Trail", "crumb", "Shop.handle", "handle", "requests"],
      lines: [[17, 17], [19, 23], [25, 33], [35, 40]]
    },
    rate: { individualsPerSecond: 300, bytesPerSecond: 50_000 },
    note: "services and layers in three files"
  }),
  ...pair({
    half: "fourth",
    name: "ticket-search",
    extension: "mjs",
    kind: "memory",
    shape: "async generators that are left without a return",
    named: false,
    guilty: { names: ["pages", "firstPage", "search"], lines: [[10, 21], [23, 26], [34, 34]] },
    rate: { individualsPerSecond: 24, bytesPerSecond: 89_000 },
    note: "the generators are collected, the cursors they would have deleted are not"
  }),
  ...pair({
    half: "fourth",
    name: "crm-sync",
    extension: "ts",
    kind: "memory",
    shape: "logs that become events of a span that never ends",
    named: true,
    guilty: { names: ["crm.sync", "copy", "sync", "daemon"], lines: [[19, 23], [25, 29], [31, 34]] },
    rate: { individualsPerSecond: 136, bytesPerSecond: 50_000 },
    note: "effect's own tracerLogger and span; the only name is that of the span"
  }),
  ...pair({
    half: "fourth",
    name: "failure-counts",
    extension: "ts",
    kind: "memory",
    shape: "a frequency metric of messages that differ",
    named: true,
    slow: true,
    guilty: {
      names: ["failures", "Payments.charge", "Payments.pay", "charge", "pay"],
      lines: [[12, 12], [15, 26], [28, 33]]
    },
    rate: { individualsPerSecond: 7.5, bytesPerSecond: 3_000 },
    note: "one metric, whose Map grows; an error path: one payment in twelve is declined"
  }),
  ...lookAlike({
    half: "fourth",
    name: "rate-limits",
    extension: "ts",
    shape: "an RcMap with an idle time, in waves of traffic",
    named: true,
    note: "HttpRouter and NodeHttpServer; three waves in a run, a fiber for each client that was there lately"
  }),
  ...lookAlike({
    half: "fourth",
    name: "avatar-cache",
    extension: "mjs",
    shape: "a cache with random eviction that fills up",
    named: false,
    note: "full at about half of the run; its size goes by the length of the run"
  }),
  ...lookAlike({
    half: "fourth",
    name: "sliding-latency",
    extension: "ts",
    shape: "a sliding window",
    named: true,
    note: "the window is 30 % of the run, in a Ref whose array is copied each time"
  }),
  ...lookAlike({
    half: "fourth",
    name: "busy-ingest",
    extension: "mjs",
    shape: "an unbounded queue whose consumer is busy at 95 %",
    named: false,
    note: "ten entries on average, at times many more"
  }),
  ...lookAlike({
    half: "fourth",
    name: "daily-totals",
    extension: "ts",
    shape: "a Map that is swapped at midnight",
    named: true,
    note: "a service; five days in a run, two days are kept"
  }),
  ...lookAlike({
    half: "fourth",
    name: "broker-clients",
    extension: "ts",
    shape: "clients that reconnect, and are remembered for a while",
    named: false,
    note: "50 clients, the last at a quarter of the run; listeners come and go"
  }),
  ...lookAlike({
    half: "fourth",
    name: "job-history",
    extension: "ts",
    shape: "a bounded history of ended fibers",
    named: true,
    note: "full at about 40 % of the run"
  }),
  ...lookAlike({
    half: "fourth",
    name: "lazy-modules",
    extension: "mjs",
    shape: "modules that are loaded when they are first used",
    named: false,
    note: "200 modules, the last at 45 % of the run"
  }),
  ...lookAlike({
    half: "fourth",
    name: "quiet-night",
    extension: "cjs",
    shape: "a process that is idle",
    named: false,
    note: "CommonJS; some tables at the start, two visits in a second or less"
  }),
  ...lookAlike({
    half: "fourth",
    name: "flight-recorder",
    extension: "mjs",
    shape: "a ring of typed arrays",
    named: false,
    note: "4 MB off the heap, once around at 42 % of the run"
  }),
  ...lookAlike({
    half: "fourth",
    name: "visitor-sessions",
    extension: "ts",
    shape: "fibers that sleep for a third of the run",
    named: false,
    note: "FiberMap; as many end as begin from then on"
  }),
  ...lookAlike({
    half: "fourth",
    name: "ticket-sale",
    extension: "mjs",
    shape: "traffic that rises for the whole run",
    named: false,
    note: "up to 28 live fibers, each over after a fifth of a second"
  })
]
