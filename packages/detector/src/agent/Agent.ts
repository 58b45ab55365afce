/**
 * The agent: reads the process it lives in and says what it saw, and nothing else.
 *
 * It is the only part of the detector that is loaded into programs that nobody prepared. So it depends on nothing but node and
 * core's census, keeps the process alive in no way, throws nothing, prints nothing, and falls silent when nobody listens.
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
import { watchLoop } from "./LoopDelay.ts"
import type { LoopDelay } from "./LoopDelay.ts"
import { makeMarking } from "./Marking.ts"
import type { Outlet } from "./Outlet.ts"
import { isOwn } from "./Own.ts"
import { descriptorType } from "./Protocol.ts"
import type { AgentOptions, Floor, Message, Place, Request, Tick } from "./Protocol.ts"
import { limits as budgetLimits, makeReadingBudget } from "./ReadingBudget.ts"
import { limits, makeSamplingInterval } from "./SamplingInterval.ts"
import { testFile } from "./TestFile.ts"
import { waitingPlaces } from "./WaitingPlaces.ts"

export interface Agent {
  /** Takes the readings of an interval. */
  readonly tick: () => void
  /** Says what happened so far, without a reading, before the first interval is over. */
  readonly early: () => void
  /** Says what happened since the last interval, without a reading that would make the program wait. */
  readonly flush: () => void
  readonly answer: (request: Request) => void
  readonly stop: () => void
}

const topSites = 20
const inspectionsPerSecond = 20

/** Milliseconds that a busy program may stand still so that V8 marks; it takes 10 to 40 for a heap of 50 MB. */
const mostMarkingMs = 50

/** A stack takes some ten microseconds. */
const forkLinesPerSecond = 50

/** Milliseconds for which lines of forks are looked for after each request. */
const forkLinesFor = 10_000

// Taken at load: the program may replace it.
const clock = performance.now.bind(performance)

/** Starts the agent. It takes readings when it is told to; whoever starts it has the clock. */
export const startAgent = (
  census: FiberCensus,
  options: AgentOptions,
  { isBusy, send, sendAll }: Outlet,
  guard: Guard,
  lines?: Pick<ForkLines, "calls" | "cost" | "sample">
): Agent => {
  const collections = guard.run<GarbageCollections | undefined>("gc", watchCollections, undefined)
  const loop = guard.run<LoopDelay | undefined>("eventloop", watchLoop, undefined)
  const samples = options.sampling !== 0 && options.readingMs > 0
    ? guard.run<AllocationSamples | undefined>(
      "samples",
      () => sampleAllocations(firstInterval(options), isOwn),
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

  /** A site is told when it is first mentioned: a program may have thousands that never leave anything behind. */
  const mention = function*(id: number): Generator<Message> {
    if (mentioned.has(id)) return
    mentioned.add(id)
    const site = census.sites.get(id)
    // With the line of every fork, each line is a site of its own.
    const of = options.sites === "all" ? undefined : site.of
    if (of !== undefined) yield* mention(of)
    yield siteMessage(site, of)
  }

  /** A tick, after the sites that it names. */
  const withSites = function*(tick: Tick): Iterator<Message> {
    for (const [site] of tick.flow) yield* mention(site)
    for (const [site] of tick.live) yield* mention(site)
    yield tick
  }

  /** Looks at some of the forks of the next second, while somebody wants to know. */
  const lookForLines = (now: number): void => {
    if (lines === undefined || options.sites === "all") return
    const calls = lines.calls()
    lines.sample(now < linesUntil ? Math.max(1, Math.ceil(calls / forkLinesPerSecond)) : 0)
  }

  /** A reading is a major collection. It is paid for by waiting longer before the next; before the end, nothing is. */
  const read = (now: number, isLast: boolean): ReadonlyArray<Floor> => {
    const start = clock()
    const worked = cpuMs()
    if (samples !== undefined && heapUsed() > mostTold * samplingBytes) {
      // To ask V8 for so many samples would take as much memory again.
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
    // Time for which somebody else had the processor is not the reading's; V8 collects with threads of its own as well.
    const took = Math.min(clock() - start, cpuMs() - worked)
    budget.taken(now, took)
    return [{ t: now, bytes, forced: true, external: finite(process.memoryUsage().external) }]
  }

  /** More objects are alive than can be told: so many less are sampled from here on that they can. */
  const thin = (now: number, living: number): void => {
    const bytes = samplingBytes * 2 ** Math.ceil(Math.log2(2 * living / limits.living))
    if (samples?.restart(bytes) !== true) return
    samplingBytes = bytes
    interval?.changed(bytes)
    send({ type: "sampling", t: now, bytes, living })
  }

  /** Samples finer or coarser where the program allocates less or more than before. */
  const adapt = (now: number, allocated: number | undefined): void => {
    if (samples === undefined || interval === undefined || allocated === undefined) return
    const bytes = interval.next({ t: now, allocated, busy: budget.busy() })
    if (bytes === undefined || !samples.restart(bytes)) return
    samplingBytes = bytes
    send({ type: "sampling", t: now, bytes })
  }

  /** The collections since it was asked last. */
  const drain = (now: number) => guard.run("gc", () => collections?.drain(now), undefined) ?? noCollections

  const tick = (reading: "due" | "now" | "early" | "never"): void => {
    const final = reading === "never"
    if (reading === "due") budget.observe({ t: census.now(), cpuMs: cpuMs(), started: census.counts().started })
    // What happens meanwhile is told by the next tick: the other side has not read the last one yet.
    if (stopped || (isBusy() && !final)) return
    const now = census.now()
    const due = options.readingMs > 0 && (reading === "now" || (reading === "due" && !resting && budget.isDue(now)))
    // A reading tells all that lives, and allocates by as much: that is not the program's.
    const until = due ? drain(now) : noCollections
    const forced = due ? guard.run("reading", () => read(now, reading === "now"), []) : []
    const start = clock()
    census.sweep()
    const flow = census.flow()
    const live = guard.run("live", () => mostLive(census, options.sites), [])
    const since = drain(now)
    lookForLines(now)
    // Before the program is stopped there is no time for samples to begin anew.
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
    if (stopped || (isBusy() && request.type !== "read" && request.type !== "rest")) return
    if (request.type === "rest") {
      resting = true
      return
    }
    if (request.type === "read") return guard.run("tick", () => tick("now"), undefined)
    const now = census.now()
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
    const found = guard.run("inspect", () => waitingPlaces(census, request.site, most, isOwn, guard), undefined)
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
    }
  }
}

/** Objects that a heap may hold at most, by its size, before V8 is asked for them: some 100 MB of answer. */
const mostTold = 4 * limits.living

/** Objects in one message: some 50 KB. */
const piece = 2000

/** A reading as messages: first its stacks, then its objects, in pieces. */
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

/** Processor time of the process. */
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

/** By site, whatever the lines of their forks: those are known of some only. */
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

/** The program may have functions of its own in place of node's, which answer anything. */
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
