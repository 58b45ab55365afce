/**
 * The agent: reads the process it is loaded into and sends what it saw. It does nothing else.
 *
 * It is the only part of the detector that is loaded into programs that were not prepared for it. So it depends only on node and
 * core's census, does not keep the process alive, throws nothing, prints nothing, and stops when there is no listener.
 */
import type { FiberCensus, Guard } from "@fiberscope/core/FiberCensus"
import type { FiberSite, Frame } from "@fiberscope/core/FiberSite"
import { performance } from "node:perf_hooks"
import process from "node:process"
import v8 from "node:v8"
import { sampleAllocations } from "./AllocationSamples.ts"
import type { AllocationSamples, Reading } from "./AllocationSamples.ts"
import { lowestFreeDescriptor } from "./Descriptors.ts"
import type { ForkLines } from "./ForkLines.ts"
import { heapUsed, makeCollect, watchCollections } from "./GarbageCollections.ts"
import type { GarbageCollections } from "./GarbageCollections.ts"
import { takeHeapSnapshot } from "./HeapSnapshot.ts"
import { releaseObjectIds } from "./InspectorSession.ts"
import { watchLoop } from "./LoopDelay.ts"
import type { LoopDelay } from "./LoopDelay.ts"
import { makeMarking } from "./Marking.ts"
import type { Outlet } from "./Outlet.ts"
import { descriptorType } from "./Protocol.ts"
import type { AgentOptions, Floor, Message, Place, Request, Tick } from "./Protocol.ts"
import { limits as budgetLimits, makeReadingBudget } from "./ReadingBudget.ts"
import { limits, makeSamplingInterval } from "./SamplingInterval.ts"
import { testFile } from "./TestFile.ts"
import { isToolFile } from "./toolFrames.ts"
import { waitingPlaces } from "./WaitingPlaces.ts"

export interface Agent {
  /** Takes the readings of an interval. */
  readonly tick: () => void
  /** Sends what happened so far, without a reading, before the first interval is over. */
  readonly early: () => void
  /** Sends what happened since the last interval, without a reading, which would make the program wait. */
  readonly flush: () => void
  readonly answer: (request: Request) => void
  readonly stop: () => void
}

const topSites = 20
const inspectionsPerSecond = 20

/** The longest pause of a busy program for V8's marking, in milliseconds. A heap of 50 MB takes 10 to 40 ms. */
const mostMarkingMs = 50

/** Stacks taken per second to find fork lines. Each takes about 10 microseconds. */
const forkLinesPerSecond = 50

/** How long fork lines are looked for after a request, in milliseconds. */
const forkLinesFor = 10_000

// Taken at load: the program may replace it.
const clock = performance.now.bind(performance)

/** Starts the agent. It has no timer of its own: the caller decides when `tick` runs. */
export const startAgent = (
  census: FiberCensus,
  options: AgentOptions,
  { isBusy, send, sendAll }: Outlet,
  guard: Guard,
  lines?: Pick<ForkLines, "calls" | "cost" | "sampleEvery">
): Agent => {
  const collections = guard.run<GarbageCollections | undefined>("gc", watchCollections, undefined)
  const loop = guard.run<LoopDelay | undefined>("eventloop", watchLoop, undefined)
  const samples = options.sampling !== 0 && options.readingMs > 0
    ? guard.run<AllocationSamples | undefined>(
      "samples",
      () => sampleAllocations(firstInterval(options), isToolFile),
      undefined
    )
    : undefined
  const interval = options.sampling === "adaptive" ? makeSamplingInterval(options.leastSampling) : undefined
  const collect = options.readingMs > 0 && samples === undefined
    ? guard.run<(() => void) | undefined>("collect", makeCollect, undefined)
    : undefined
  let samplingBytes = firstInterval(options)
  const marking = makeMarking()
  const mentioned = new Set<number>()
  let linesUntil = 0
  const budget = makeReadingBudget(options.readingMs - options.intervalMs / 2, options.readingShare, census.now())
  let ownMs = 0
  let stopped = false
  let resting = false

  /** Sends a site before its first mention only: a program may have thousands of sites at which nothing ever remains. */
  const mention = function*(id: number): Generator<Message> {
    if (mentioned.has(id)) return
    mentioned.add(id)
    const site = census.sites.get(id)
    // With `--sites all` each fork line is a site of its own.
    const of = options.sites === "all" ? undefined : site.of
    if (of !== undefined) yield* mention(of)
    yield siteMessage(site, of)
  }

  /** A tick, preceded by the sites that it mentions. */
  const withSites = function*(tick: Tick): Iterator<Message> {
    for (const [site] of tick.flow) yield* mention(site)
    for (const [site] of tick.live) yield* mention(site)
    yield tick
  }

  /** Samples some of the forks of the next second, while a request for fork lines is open. */
  const lookForLines = (now: number): void => {
    if (lines === undefined || options.sites === "all") return
    const calls = lines.calls()
    lines.sampleEvery(now < linesUntil ? Math.max(1, Math.ceil(calls / forkLinesPerSecond)) : 0)
  }

  /** Takes a reading, which is a major collection. A long reading delays the next one, except before the end. */
  const read = (now: number, isLast: boolean): ReadonlyArray<Floor> => {
    const start = clock()
    const worked = cpuMs()
    if (samples !== undefined && heapUsed() > mostReadable * samplingBytes) {
      // V8's answer with all these samples would take as much memory as the samples themselves.
      thin(now, Math.ceil(heapUsed() / samplingBytes))
      return []
    }
    if (samples !== undefined) {
      if (!isLast && budget.busy() > budgetLimits.busy) {
        guard.run("marking", () => marking.begin(mostMarkingMs), undefined)
      }
      const reading = samples.read(limits.living)
      const pauseMs = clock() - start
      if (typeof reading === "number") thin(now, reading)
      else sendAll(messagesOf(reading, now, pauseMs))
    } else if (collect !== undefined) collect()
    else return []
    const bytes = heapUsed()
    // The smaller of the two: wall time includes time of other processes, processor time includes V8's own threads.
    const took = Math.min(clock() - start, cpuMs() - worked)
    budget.taken(now, took)
    return [{ t: now, bytes, forced: true, external: finite(process.memoryUsage().external) }]
  }

  /** Lengthens the sampling interval when more sampled objects are alive than a reading can send. */
  const thin = (now: number, living: number): void => {
    const bytes = samplingBytes * 2 ** Math.ceil(Math.log2(2 * living / limits.living))
    if (samples?.restart(bytes) !== true) return
    samplingBytes = bytes
    interval?.changed(bytes)
    send({ type: "sampling", t: now, bytes, living })
  }

  /** Shortens or lengthens the sampling interval when the program allocates less or more than before. */
  const adapt = (now: number, allocated: number | undefined): void => {
    if (samples === undefined || interval === undefined || allocated === undefined) return
    const bytes = interval.next({ t: now, allocated, busy: budget.busy() })
    if (bytes === undefined || !samples.restart(bytes)) return
    samplingBytes = bytes
    send({ type: "sampling", t: now, bytes })
  }

  /** The garbage collections since the last call. */
  const drain = (now: number) => guard.run("gc", () => collections?.drain(now), undefined) ?? noCollections

  const tick = (reading: "due" | "now" | "early" | "never"): void => {
    const final = reading === "never"
    if (reading === "due") budget.observe({ t: census.now(), cpuMs: cpuMs(), started: census.counts().started })
    // The reader has not read the last tick yet: the next tick reports what happens until then.
    if (stopped || (isBusy() && !final)) return
    const now = census.now()
    const due = options.readingMs > 0 && (reading === "now" || (reading === "due" && !resting && budget.isDue(now)))
    // A reading itself allocates, in proportion to the living objects. That is not counted as the program's allocation.
    const until = due ? drain(now) : noCollections
    const forced = due ? guard.run("reading", () => read(now, reading === "now"), []) : []
    const start = clock()
    census.sweep()
    const flow = census.flow()
    const live = guard.run("live", () => mostLive(census, options.sites), [])
    const since = drain(now)
    lookForLines(now)
    // The last reading before the program is stopped does not restart the sampling.
    if (reading !== "now") guard.run("sampling interval", () => adapt(now, (due ? until : since).allocated), undefined)
    sendAll(withSites({
      type: "tick",
      t: now,
      final: final ? true : undefined,
      test: guard.run("test file", testFile, undefined),
      fibers: census.counts(),
      flow: flow.map(({ abandoned, born, ended, site, tenured }) => [site, born, tenured, ended, abandoned] as const),
      live,
      memory: guard.run("memory", readMemory, noMemory),
      floors: forced.length > 0 ? forced : since.floors,
      loop: guard.run("eventloop", () => loop?.drain(), undefined) ?? noLoop,
      gc: { pauseMs: until.pauseMs + since.pauseMs, count: until.count + since.count },
      resources: guard.run("resources", readResources, {}),
      own: { ms: ownMs, bytes: census.bytes(), forkLines: options.sites === "all" ? lines?.cost() : undefined }
    }))
    ownMs = clock() - start
  }

  let inspected = 0
  let inspectedAt = 0
  const answer = (request: Request): void => {
    if (stopped || (isBusy() && canWait(request))) return
    if (request.type === "rest") {
      resting = true
      return
    }
    if (request.type === "read") return guard.run("tick", () => tick("now"), undefined)
    const now = census.now()
    if (request.type === "takeHeapSnapshot") {
      const taken = guard.run("takeHeapSnapshot", () => takeHeapSnapshot(request.file), {
        pauseMs: 0,
        refused: "it failed"
      })
      if (request.last === true) guard.run("takeHeapSnapshot", releaseObjectIds, undefined)
      send({ type: "heapSnapshot", t: now, ...taken })
      return
    }
    if (request.type === "lines") {
      linesUntil = now + forkLinesFor
      return
    }
    if (request.type !== "inspect") return
    if (now - inspectedAt > 1000) inspected = 0
    if (inspected === 0) inspectedAt = now
    const most = Math.min(request.most, inspectionsPerSecond - inspected)
    if (most <= 0) return
    inspected += most
    const found = guard.run("inspect", () => waitingPlaces(census, request.site, most, isToolFile, guard), undefined)
    if (found !== undefined) send({ type: "waiting", t: now, site: request.site, ...found })
  }

  return {
    tick: () => guard.run("tick", () => tick("due"), undefined),
    early: () => guard.run("tick", () => tick("early"), undefined),
    flush: () => guard.run("tick", () => tick("never"), undefined),
    answer,
    stop: () => {
      if (stopped) return
      stopped = true
      guard.run("stop gc", () => collections?.stop(), undefined)
      guard.run("stop eventloop", () => loop?.stop(), undefined)
      guard.run("stop samples", () => samples?.stop(), undefined)
      guard.run("stop sessions", releaseObjectIds, undefined)
    }
  }
}

/** Requests that are dropped while the reader is behind: they come again. */
const canWait = ({ type }: Request): boolean => type === "inspect" || type === "lines"

/** The most sampled objects, estimated from the heap size, that V8 is asked for. The answer takes about 100 MB. */
const mostReadable = 4 * limits.living

/** Objects in one message, which is about 50 KB. */
const piece = 2000

/** A reading as messages: its stacks first, then its objects in pieces. */
const messagesOf = function*({ born, died, stacks }: Reading, t: number, pauseMs: number): Iterator<Message> {
  for (const { frames, id } of stacks()) yield { type: "stack", id, frames }
  const last = Math.ceil(Math.max(1, born.length, died.length) / piece) - 1
  for (let i = 0; i <= last; i++) {
    const part = <A>(all: ReadonlyArray<A>) => all.slice(i * piece, (i + 1) * piece)
    const whole = i === last ? { pauseMs } : { pauseMs: 0, more: true as const }
    yield { type: "samples", t, born: part(born), died: part(died), ...whole }
  }
}

/** Bytes between two allocation samples at the beginning. */
export const firstInterval = (
  { leastSampling, sampling }: Pick<AgentOptions, "sampling" | "leastSampling">
): number => sampling === "adaptive" ? leastSampling ?? limits.smallest : sampling

/** Processor time of the process, in milliseconds. */
const cpuMs = (): number => {
  const { system, user } = process.cpuUsage()
  return (user + system) / 1000
}

const place = (frame: Frame | undefined): Place | undefined =>
  frame === undefined ? undefined : { name: frame.name, file: frame.file, line: frame.line, column: frame.column }

const siteMessage = (site: FiberSite, of: number | undefined): Message => ({
  type: "site",
  id: site.id,
  of,
  fork: place(site.fork),
  runs: place(site.runs),
  chain: site.chain.map((frame) => place(frame)!)
})

/** The sites with the most live fibers. Fork lines are ignored, because they are known for some fibers only. */
const mostLive = (
  census: FiberCensus,
  sites: AgentOptions["sites"]
): ReadonlyArray<readonly [number, number]> => {
  const counts = new Map<number, number>()
  for (const [id, count] of census.liveBySite()) {
    const site = sites === "all" ? id : census.sites.get(id).of ?? id
    counts.set(site, (counts.get(site) ?? 0) + count)
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, topSites)
}

/** A number, or 0: the program may have replaced node's functions with ones that answer anything. */
const finite = (value: unknown): number => typeof value === "number" && Number.isFinite(value) ? value : 0

const readMemory = () => {
  const { arrayBuffers, external, heapUsed, rss } = process.memoryUsage()
  return {
    heapUsed: finite(heapUsed),
    heapLimit: finite(v8.getHeapStatistics().heap_size_limit),
    rss: finite(rss),
    external: finite(external),
    arrayBuffers: finite(arrayBuffers)
  }
}

const noCollections = { floors: [], pauseMs: 0, count: 0, allocated: undefined }

const noMemory = { heapUsed: 0, heapLimit: 0, rss: 0, external: 0, arrayBuffers: 0 }

const noLoop = { p50: 0, p99: 0, max: 0, utilization: 0 }

const readResources = (): Readonly<Record<string, number>> => {
  const out: Record<string, number> = {}
  for (const type of process.getActiveResourcesInfo()) out[type] = (out[type] ?? 0) + 1
  const descriptors = lowestFreeDescriptor()
  if (descriptors !== undefined) out[descriptorType] = descriptors
  return out
}
