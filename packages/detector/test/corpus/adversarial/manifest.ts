/**
 * The adversarial part of the corpus: healthy programs that look like leaks, and leaks that look healthy. The leaks
 * have no twins. They were written by somebody who knew the rules, and some of the rules were changed because of them.
 */
import type { Guilty, Program } from "../manifest.ts"
import { lookAlike } from "../support/entries.ts"

type LeakOptions =
  & Pick<Program, "kind" | "shape" | "named" | "note">
  & Pick<Guilty, "names" | "lines">
  & { readonly name: string; readonly slow?: boolean }

const leak = ({ kind, lines, name, named, names, note, shape, slow = false }: LeakOptions): Program => {
  const file = `adversarial/${name}/leak.mjs`
  const guilty = { names, file, lines }
  return { name: `${name}/leak`, file, half: "adversarial", expected: "leak", kind, shape, slow, named, guilty, note }
}

const healthy = (options: Pick<Program, "name" | "shape" | "named" | "note">): ReadonlyArray<Program> =>
  lookAlike({ ...options, half: "adversarial", extension: "mjs" })

export const adversarial: ReadonlyArray<Program> = [
  leak({
    name: "sensor-readings",
    kind: "memory",
    shape: "an array of numbers in a Ref that is copied each time",
    named: false,
    names: ["readings", "update"],
    lines: [[9, 9], [10, 13]],
    note: "one object in all, made anew ten times a second; 80 KB/s by design; the functions are anonymous"
  }),
  leak({
    name: "grid-undo",
    kind: "memory",
    shape: "an undo history without a limit",
    named: false,
    slow: true,
    names: ["history", "snapshot"],
    lines: [[6, 6], [9, 11]],
    note: "1 MB each six seconds, in one object: five in 30 s"
  }),
  leak({
    name: "audited-routes",
    kind: "live fibers",
    shape: "fibers that wait for a Deferred nobody completes, forked by a helper of sixty Effect.fn",
    named: true,
    names: ["audited"],
    lines: [[9, 17]],
    note: "one request in six, some four a second; the routes have names, the helper to blame has none"
  }),
  leak({
    name: "order-payments",
    kind: "live fibers",
    shape: "fibers that wait for a Deferred nobody completes, forked in spans whose names all differ",
    named: true,
    names: ["ship", "order"],
    lines: [[8, 8], [10, 17]],
    note: "one order in five, some six a second; the number of the order is in the name of its span"
  }),
  leak({
    name: "image-previews",
    kind: "off-heap memory",
    shape: "a Map of buffers, beside many more that stay",
    named: false,
    names: ["preview"],
    lines: [[9, 11]],
    note: "256 KB/s by design, in four buffers, beside 320 MB that are there from the start"
  }),
  leak({
    name: "open-requests",
    kind: "memory",
    shape: "requests that are added to a Set and never taken out",
    named: false,
    names: ["open", "handler"],
    lines: [[8, 8], [11, 16]],
    note: "HTTP server and client; what stays is allocated by Node itself; a bounded log beside it"
  }),
  leak({
    name: "word-search",
    kind: "memory",
    shape: "a cache whose key is different each time, beside a large heap",
    named: false,
    names: ["answers", "search"],
    lines: [[7, 7], [9, 13]],
    note: "forty searches a second, with sixty hits each; an index of 900,000 objects from the start"
  }),
  leak({
    name: "campaign-reminders",
    kind: "live fibers",
    shape: "fibers that wait for a Deferred nobody completes, in bursts",
    named: true,
    names: ["remind"],
    lines: [[8, 12], [16, 16]],
    note: "forty at once each seven seconds: 200 in 30 s, in five bursts"
  }),
  leak({
    name: "search-suggestions",
    kind: "memory",
    shape: "a cache without a limit whose keys follow a power law",
    named: false,
    names: ["suggestions", "suggest"],
    lines: [[7, 7], [9, 15]],
    note: "grows ever more slowly, without an end: some 800 terms in the first half of 30 s, 500 in the second"
  }),
  leak({
    name: "quote-cache",
    kind: "memory",
    shape: "effect's Cache with a time to live and no capacity",
    named: false,
    names: ["quotes", "lookup"],
    lines: [[7, 12], [14, 14]],
    note: "what has expired stays until it is asked for again; the functions are anonymous"
  }),
  leak({
    name: "document-converter",
    kind: "memory",
    shape: "a callback without a finalizer: child processes that are not killed",
    named: false,
    names: ["convert"],
    lines: [[7, 11]],
    note: "one a second; what grows is processes and their handles, with little memory here; they outlive the program"
  }),
  leak({
    name: "table-refresh",
    kind: "memory",
    shape: "old rows that are kept, amid many that are not",
    named: false,
    names: ["audit", "fetchRow", "refresh"],
    lines: [[8, 8], [10, 10], [12, 16]],
    note:
      "one in ten of what one function allocates stays, from the second round on; its periods are as long as the run is"
  }),
  leak({
    name: "sessions-and-invoices",
    kind: "memory",
    shape: "two leaks of about the same size: a Map and an array without a limit",
    named: false,
    names: ["sessions", "invoices", "login", "bill"],
    lines: [[6, 6], [7, 7], [9, 11], [13, 15]],
    note: "fifty entries a second each; either is right"
  }),
  leak({
    name: "rpc-client",
    kind: "memory",
    shape: "a callback without a finalizer: pending calls that have timed out",
    named: false,
    names: ["pending", "send", "call"],
    lines: [[6, 6], [9, 19], [21, 22]],
    note: "one call in six, seven a second; their fibers end, the callbacks stay"
  }),
  ...healthy({
    name: "feed-failover",
    shape: "fibers that are replaced one by one by those of another function",
    named: true,
    note: "240 fibers, each for some 35 s; its periods are as long as the run is"
  }),
  ...healthy({
    name: "snippet-cache",
    shape: "a cache that is swept from time to time (second chance)",
    named: false,
    note: "one sweep in the run; its periods are as long as the run is"
  }),
  ...healthy({
    name: "profile-cache",
    shape: "a segmented LRU that is full from the start",
    named: false,
    note: "one function allocates all profiles; requests with large answers beside it"
  }),
  ...healthy({
    name: "catalogue-refresh",
    shape: "a table whose entries are replaced one by one by another function",
    named: true,
    note: "once around in three minutes; requests with large answers beside it"
  }),
  ...healthy({
    name: "chat-sessions",
    shape: "fibers whose lifetimes have a heavy tail",
    named: true,
    note: "1 to 25 s; steady from 25 s on"
  }),
  ...healthy({
    name: "drifting-quotes",
    shape: "effect's Cache with a time to live and a capacity",
    named: false,
    note: "room for 1500; keys drift"
  }),
  ...healthy({
    name: "aging-cache",
    shape: "a cache by frequency whose counts are halved from time to time",
    named: false,
    note: "each 14 s, so two in 30 s; at most 5000 keys"
  }),
  ...healthy({
    name: "blocked-loop",
    shape: "an event loop that is blocked for seconds",
    named: false,
    note: "sessions cannot end while it is; about a third of a core is busy"
  }),
  ...healthy({
    name: "away-upstream",
    shape: "retries that pile up during an outage",
    named: true,
    note: "away from 10 s to 16 s, and from 26 s to 32 s"
  }),
  ...healthy({
    name: "game-rooms",
    shape: "fibers that begin and end in groups, at random times",
    named: true,
    note: "some twenty rooms of twenty fibers, each for 28 s; its periods are as long as the run is"
  }),
  ...healthy({
    name: "game-maps",
    shape: "large entries that come and go at random times",
    named: false,
    note: "some twenty maps of 3000 objects, each for 28 s; its periods are as long as the run is"
  }),
  ...healthy({
    name: "merged-tables",
    shape: "a table that is built anew each time",
    named: false,
    note: "at most 3000 rows, copied about every two seconds"
  })
]
