/** The sixth part of the corpus: programs that are healthy, whatever they look like. */
import type { Program } from "../manifest.ts"
import { lookAlike } from "../support/entries.ts"

export const sixth: ReadonlyArray<Program> = [
  ...lookAlike({
    half: "sixth",
    name: "login-sessions",
    extension: "ts",
    shape: "sessions that are prolonged and swept",
    named: true,
    note: "HTTP; idle time of an eighth of the run; four logins a second"
  }),
  ...lookAlike({
    half: "sixth",
    name: "api-quotas",
    extension: "ts",
    shape: "token buckets of clients that come and go",
    named: false,
    note: "some 90 buckets, swept; bursts of refusals in a ring of 64"
  }),
  ...lookAlike({
    half: "sixth",
    name: "chat-rooms",
    extension: "ts",
    shape: "subscribers that come and go, with a replay",
    named: true,
    note: "PubSub.sliding; forty guests with two fibers each"
  }),
  ...lookAlike({
    half: "sixth",
    name: "invoice-writer",
    extension: "ts",
    shape: "a bounded queue that is full during outages",
    named: true,
    note: "retry with backoff; outages at 8 to 20 % and 55 to 61 % of the run"
  }),
  ...lookAlike({
    half: "sixth",
    name: "payment-breaker",
    extension: "ts",
    shape: "a circuit breaker, and a ring of errors",
    named: true,
    note: "three outages in a run; the last 30 errors are kept"
  }),
  ...lookAlike({
    half: "sixth",
    name: "nightly-report",
    extension: "ts",
    shape: "large results that are built and dropped",
    named: true,
    note: "25 reports in a run, of 4500 rows each; a cron job every two seconds"
  }),
  ...lookAlike({
    half: "sixth",
    name: "product-import",
    extension: "ts",
    shape: "a catalogue that is imported page by page, again and again",
    named: true,
    note: "Stream.paginate and schemas of JSON; 600 products, some of which are missing at times"
  }),
  ...lookAlike({
    half: "sixth",
    name: "latency-histograms",
    extension: "ts",
    shape: "metrics with a bounded number of series",
    named: true,
    note: "36 histograms, a summary, rings of typed arrays; three scrapes are kept"
  }),
  ...lookAlike({
    half: "sixth",
    name: "pdf-children",
    extension: "ts",
    shape: "child processes that end",
    named: false,
    note: "two a second, behind a semaphore; ten results are kept"
  }),
  ...lookAlike({
    half: "sixth",
    name: "webhook-dedupe",
    extension: "ts",
    shape: "ids of a window, in two sets that take turns",
    named: false,
    note: "twenty teeth in a run"
  }),
  ...lookAlike({
    half: "sixth",
    name: "parcel-machines",
    extension: "ts",
    shape: "a fiber and a mailbox for each entity",
    named: true,
    note: "FiberMap; some eighty parcels, each for a twelfth of the run"
  }),
  ...lookAlike({
    half: "sixth",
    name: "player-shards",
    extension: "ts",
    shape: "shards that come and go, with what is moved between them",
    named: true,
    note: "HashRing; 800 players at a quarter of the run, then each replaces the oldest"
  }),
  ...lookAlike({
    half: "sixth",
    name: "triage-queue",
    extension: "ts",
    shape: "a priority queue that is nearly always full",
    named: true,
    note: "sixty waiting fibers with a Deferred each; the least urgent is refused"
  }),
  ...lookAlike({
    half: "sixth",
    name: "snapshot-store",
    extension: "ts",
    shape: "events that are replaced by snapshots",
    named: false,
    note: "fifteen saws with 25 events each; much structuredClone"
  }),
  ...lookAlike({
    half: "sixth",
    name: "upstream-timeouts",
    extension: "ts",
    shape: "timeouts that are cleared, and requests that are aborted",
    named: true,
    note: "HTTP; eight connections that are kept alive; one request in twelve is aborted"
  }),
  ...lookAlike({
    half: "sixth",
    name: "leader-lease",
    extension: "mjs",
    shape: "state of a leader that is dropped with the lease",
    named: false,
    note: "five nodes; some twenty terms in a run, with 3000 tasks each"
  }),
  ...lookAlike({
    half: "sixth",
    name: "click-windows",
    extension: "mjs",
    shape: "groups of a stream that end when they are idle",
    named: true,
    note: "Stream.groupByKey and groupedWithin; eight groups that stay, and twenty that go"
  }),
  ...lookAlike({
    half: "sixth",
    name: "suggest-trie",
    extension: "mjs",
    shape: "a trie that is pruned",
    named: true,
    note: "the latest 500 words, with several thousand different ones to come"
  }),
  ...lookAlike({
    half: "sixth",
    name: "drawing-undo",
    extension: "mjs",
    shape: "histories with a limit",
    named: true,
    note: "ten drawings with twenty steps; twenty times one is replaced"
  }),
  ...lookAlike({
    half: "sixth",
    name: "feed-builder",
    extension: "mjs",
    shape: "a string that is added to and reset",
    named: false,
    note: "a tooth every three seconds; gzip"
  }),
  ...lookAlike({
    half: "sixth",
    name: "packet-buffers",
    extension: "mjs",
    shape: "a pool of buffers, and rings of typed arrays",
    named: false,
    note: "UDP; bursts of forty packets"
  }),
  ...lookAlike({
    half: "sixth",
    name: "password-workers",
    extension: "mjs",
    shape: "worker threads that are replaced",
    named: true,
    note: "two workers; ten times in a run the older one is terminated"
  }),
  ...lookAlike({
    half: "sixth",
    name: "dashboard-listeners",
    extension: "mjs",
    shape: "event listeners that are added and removed",
    named: false,
    note: "EventEmitter and EventTarget; thirty dashboards, each for a sixteenth of the run"
  }),
  ...lookAlike({
    half: "sixth",
    name: "image-weakcache",
    extension: "mjs",
    shape: "weak references beside an LFU cache",
    named: false,
    note: "160 keys; what is only held weakly goes with the next full collection"
  }),
  ...lookAlike({
    half: "sixth",
    name: "flag-reload",
    extension: "mjs",
    shape: "configuration that is swapped",
    named: true,
    note: "ScopedRef; thirty editions in a run, with 300 closures and patterns each"
  }),
  ...lookAlike({
    half: "sixth",
    name: "lazy-plugins",
    extension: "mjs",
    shape: "modules that are loaded when they are first needed",
    named: true,
    note: "24 modules with 800 strings each, the last at 26 % of the run"
  }),
  ...lookAlike({
    half: "sixth",
    name: "formula-sheets",
    extension: "cjs",
    shape: "functions that are generated and get warm",
    named: false,
    note: "160 functions, the last at 15 % of the run; the compiler follows within seconds"
  }),
  ...lookAlike({
    half: "sixth",
    name: "reminders",
    extension: "mjs",
    shape: "fibers that sleep until a reminder is due",
    named: true,
    note: "root fibers; each for a seventh of the run at most; some are cancelled"
  }),
  ...lookAlike({
    half: "sixth",
    name: "stock-table",
    extension: "mjs",
    shape: "a table with indexes, and as many inserts as deletes",
    named: true,
    note: "500 rows after some five seconds"
  }),
  ...lookAlike({
    half: "sixth",
    name: "night-shift",
    extension: "mjs",
    shape: "traffic that rises and falls seven times in a run",
    named: true,
    note: "effect's own Cache with 150 entries, a time to live and requests that wait for one another"
  })
]
