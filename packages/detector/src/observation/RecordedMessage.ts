/**
 * The schema of the messages of agents, as recordings contain them. A recording is an untrusted file, so each message is checked before
 * it is used.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { protocolVersion } from "../agent/Protocol.ts"
import type { Message } from "../agent/Protocol.ts"

// Real values are far smaller, and a sum of many values of this size is still finite and exact enough.
const largest = 1e15

const isAmount = (value: unknown): value is number => typeof value === "number" && Math.abs(value) <= largest
const isCount = (value: unknown): value is number => isAmount(value) && Number.isInteger(value) && value >= 0

/** A measured value: milliseconds, bytes, a share. */
const Amount = Schema.declare(isAmount, { expected: "a number" })

/** The number of a fork site. It is bounded, because each site takes memory here; an agent has some thousands. */
const isSite = (value: unknown): value is number => isCount(value) && value < 65_536
const SiteId = Schema.declare(isSite, { expected: "the number of a site" })

/** A count or an id. */
const Count = Schema.declare(isCount, { expected: "a whole number" })

const isList = (value: unknown, isItem: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(isItem)

// A reading has some ten thousand objects. A loop checks them ten times as fast as a schema of tuples.
const Counts = Schema.declare((value): value is ReadonlyArray<number> => isList(value, isCount), {
  expected: "whole numbers"
})

const isTuple = (value: unknown, length: number): value is ReadonlyArray<number> =>
  Array.isArray(value) && value.length === length && value.every(isCount)

const SitePairs = Schema.declare(
  (value): value is ReadonlyArray<readonly [number, number]> =>
    isList(value, (one) => isTuple(one, 2) && isSite(one[0])),
  { expected: "pairs of a site and a whole number" }
)

const Triples = Schema.declare(
  (value): value is ReadonlyArray<readonly [number, number, number]> => isList(value, (one) => isTuple(one, 3)),
  { expected: "triples of whole numbers" }
)

const Flows = Schema.declare(
  (value): value is ReadonlyArray<readonly [number, number, number, number, number]> =>
    isList(value, (one) => isTuple(one, 5) && isSite(one[0])),
  { expected: "quintuples of a site and whole numbers" }
)

const Named = Schema.Array(Schema.Tuple([Schema.String, Amount]))

const Place = Schema.Struct({
  name: Schema.String,
  file: Schema.optional(Schema.String),
  line: Schema.optional(Count),
  column: Schema.optional(Count)
})

const Version = Schema.declare((value): value is number => value === protocolVersion, {
  expected: `version ${protocolVersion}`
})

const Hello = Schema.Struct({
  type: Schema.Literal("hello"),
  version: Version,
  pid: Count,
  ppid: Count,
  thread: Count,
  argv: Schema.Array(Schema.String),
  cwd: Schema.String,
  node: Schema.String,
  epoch: Amount,
  intervalMs: Amount,
  samplingBytes: Amount
})

const Copy = Schema.Struct({
  type: Schema.Literal("copy"),
  t: Amount,
  where: Schema.String,
  effect: Schema.optional(Schema.String)
})

const Unsupported = Schema.Struct({
  type: Schema.Literal("unsupported"),
  t: Amount,
  what: Schema.String,
  where: Schema.optional(Schema.String)
})

const Lacking = Schema.Struct({
  type: Schema.Literal("lacking"),
  t: Amount,
  where: Schema.String,
  missing: Schema.Array(Schema.String)
})

const Site = Schema.Struct({
  type: Schema.Literal("site"),
  id: SiteId,
  fork: Schema.optional(Place),
  runs: Schema.optional(Place),
  chain: Schema.Array(Place),
  of: Schema.optional(SiteId)
})

const Tick = Schema.Struct({
  type: Schema.Literal("tick"),
  t: Amount,
  final: Schema.optional(Schema.Literal(true)),
  test: Schema.optional(Schema.String),
  fibers: Schema.Struct({ started: Count, ended: Count, abandoned: Count, live: Count, tenured: Count }),
  flow: Flows,
  live: SitePairs,
  memory: Schema.Struct({
    heapUsed: Amount,
    heapLimit: Amount,
    rss: Amount,
    external: Amount,
    arrayBuffers: Amount
  }),
  floors: Schema.Array(Schema.Struct({
    t: Amount,
    bytes: Amount,
    forced: Schema.Boolean,
    external: Schema.optional(Amount)
  })),
  loop: Schema.Struct({ p50: Amount, p99: Amount, max: Amount, utilization: Amount }),
  gc: Schema.Struct({ pauseMs: Amount, count: Amount }),
  resources: Schema.Record(Schema.String, Count),
  own: Schema.Struct({
    ms: Amount,
    bytes: Amount,
    forkLines: Schema.optional(Schema.Struct({ stacks: Count, ms: Amount }))
  })
})

const Stack = Schema.Struct({ type: Schema.Literal("stack"), id: Count, frames: Schema.Array(Place) })

const Samples = Schema.Struct({
  type: Schema.Literal("samples"),
  t: Amount,
  born: Triples,
  died: Counts,
  more: Schema.optional(Schema.Literal(true)),
  pauseMs: Amount
})

const Sampling = Schema.Struct({
  type: Schema.Literal("sampling"),
  t: Amount,
  bytes: Amount,
  living: Schema.optional(Count)
})

const Problem = Schema.Struct({
  type: Schema.Literal("problem"),
  t: Amount,
  probe: Schema.String,
  message: Schema.String
})

const Waiting = Schema.Struct({
  type: Schema.Literal("waiting"),
  t: Amount,
  site: SiteId,
  places: Schema.Array(Schema.Struct({ place: Place, count: Count })),
  looked: Count,
  timers: Schema.optionalKey(Schema.Array(Amount))
})

const Metrics = Schema.Struct({ type: Schema.Literal("metrics"), t: Amount, gauges: Named, series: Named })

const HeapSnapshotTaken = Schema.Struct({
  type: Schema.Literal("heapSnapshot"),
  t: Amount,
  pauseMs: Amount,
  refused: Schema.optional(Schema.String)
})

const HeapStep = Schema.Struct({
  edge: Schema.String,
  node: Schema.String,
  kind: Schema.Literals(["object", "function", "scope", "value", "internal"]),
  place: Schema.optional(Place)
})

const HeapPath = Schema.Struct({
  how: Schema.Literals(["more", "larger"]),
  steps: Schema.Array(HeapStep),
  counts: Schema.Array(Amount),
  bytes: Schema.Array(Amount),
  stayed: Schema.Array(Amount),
  bound: Schema.optional(Schema.Struct({ size: Amount, most: Amount }))
})

const HeapGrowth = Schema.Struct({
  type: Schema.Literal("growth"),
  t: Amount,
  times: Schema.Array(Amount),
  bytes: Schema.Array(Amount),
  paths: Schema.Array(HeapPath)
})

const Silent = Schema.Struct({ type: Schema.Literal("silent"), t: Amount, ms: Amount })

const Bye = Schema.Struct({ type: Schema.Literal("bye"), t: Amount, code: Schema.optional(Amount) })

/** Any message of {@link protocolVersion}. */
export const RecordedMessage = Schema.Union([
  Hello,
  Copy,
  Unsupported,
  Lacking,
  Site,
  Tick,
  Stack,
  Samples,
  Sampling,
  Problem,
  Waiting,
  Metrics,
  HeapSnapshotTaken,
  HeapGrowth,
  Silent,
  Bye
]).annotate({ identifier: "a message of an agent" })

/** Decodes a message of an agent; `undefined` for any other value. */
export const decodeMessage = (value: unknown): Message | undefined =>
  Option.getOrUndefined(decode(value)) as Message | undefined

const decode = Schema.decodeUnknownOption(RecordedMessage)

/** A type without distinctions that JSON does not have: readonly or mutable, absent or undefined. */
type InJson<T> = T extends object ? { -readonly [K in keyof T]-?: InJson<Exclude<T[K], undefined>> } : T
type IsSame<A, B> = [A] extends [B] ? [B] extends [A] ? true : false : false
type Differing = {
  [T in Message["type"]]: IsSame<
    InJson<Extract<Message, { readonly type: T }>>,
    InJson<Extract<typeof RecordedMessage.Type, { readonly type: T }>>
  > extends true ? never : T
}[Message["type"]]

/** Fails to compile unless the protocol's types and the schema are the same, so that both are changed together. */
const differing: ReadonlyArray<Differing> extends ReadonlyArray<never> ? true : Differing = true
void differing
