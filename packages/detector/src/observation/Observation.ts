/**
 * The observation of one process: its messages are taken in one by one, and the memory for them is bounded.
 *
 * It has no clock and does not judge; rules read it. A live connection and a recording file give the same observation.
 */
import type {
  Copy,
  HeapGrowth,
  HeapPath,
  HeapSnapshotTaken,
  Hello,
  Message,
  Place,
  Samples,
  Site as SiteMessage,
  Tick,
  Unsupported,
  Waiting
} from "../agent/Protocol.ts"
import { isProgramFrame } from "../places/frames.ts"
import { resolveSteps } from "../places/HeapPathPlaces.ts"
import type { HeapPathSources } from "../places/HeapPathPlaces.ts"
import * as Lifetimes from "../statistics/Lifetimes.ts"
import * as TimeSeries from "../statistics/TimeSeries.ts"
import type { Window } from "../statistics/Window.ts"
import * as AllocationSites from "./AllocationSites.ts"
import type { AllocationSites as Allocations } from "./AllocationSites.ts"
import type { SignalName } from "./Signal.ts"
import { signals } from "./Signal.ts"
import type { TestFile } from "./TestFiles.ts"
import * as TestFiles from "./TestFiles.ts"

/**
 * The fibers of one fork site.
 *
 * @category models
 */
export interface FiberSiteRecord {
  readonly id: number
  readonly fork: Place | undefined
  readonly runs: Place | undefined
  readonly chain: ReadonlyArray<Place>
  /** Tenured fibers, from birth to end. */
  readonly lives: Lifetimes.Lifetimes
  /** Abandoned fibers: they were collected without having ended. Their lives start when they are found, and never end. */
  readonly abandoned: Lifetimes.Lifetimes
  /** The places at which inspected fibers wait. */
  waiting: Waiting["places"]
  /** The number of inspections of this site. */
  looks: number
  /** The shortest timer that inspected fibers wait for, in milliseconds; 0 if one of them waits for something else. */
  timer: number
  /** The fibers whose fork line is known, by that line. They count in this record too. */
  readonly lines: Map<number, FiberSiteRecord>
}

/**
 * Everything that is known about one process.
 *
 * @category models
 */
export interface Observation {
  readonly hello: Hello | undefined
  readonly copies: ReadonlyArray<Copy>
  /** Copies of Effect that cannot be observed, each with its reason. */
  readonly unsupported: ReadonlyArray<string>
  /** Parts of the agent that failed and were switched off: `probe: message`. */
  readonly problems: ReadonlyArray<string>
  /** Limits of the observation, in sentences. */
  readonly notes: ReadonlyArray<string>
  readonly sites: ReadonlyMap<number, FiberSiteRecord>
  readonly allocations: Allocations
  readonly series: (name: SignalName) => ReadonlyArray<TimeSeries.Point>
  /** Milliseconds between the first copy of Effect and the last message. */
  readonly durationMs: number
  /** The time that the rules look at: from the first copy of Effect, or the beginning of the window, to the last message. */
  readonly window: Window
  readonly lastTick: Tick | undefined
  /** The test files that the process ran, in order. */
  readonly tests: ReadonlyArray<TestFile>
  /** The number of heap readings after a forced major collection. */
  readonly readings: number
  /** Milliseconds for which readings paused the program. */
  readonly pausedMs: number
  /** When snapshots of the heap were taken, why others were not, and the milliseconds for which they paused the program. */
  readonly heapSnapshots: {
    readonly taken: ReadonlyArray<number>
    readonly refused: ReadonlyArray<string>
    readonly pausedMs: number
  }
  /** The comparison of these snapshots, once there is one, and while it is in the window. */
  readonly growth: HeapGrowth | undefined
  readonly resources: ReadonlyMap<string, ReadonlyArray<TimeSeries.Point>>
  /** Gauges of the program by name, and the number of series of its metrics. */
  readonly gauges: ReadonlyMap<string, ReadonlyArray<TimeSeries.Point>>
  readonly metricSeries: ReadonlyMap<string, ReadonlyArray<TimeSeries.Point>>
  /** Milliseconds for which its event loop has not answered at the end; 0 where it answered. */
  readonly silentMs: number
  /** Whether the process has ended by itself. */
  readonly ended: boolean
  readonly take: (message: Message) => void
  /** Takes in only counts from now on: the program was asked to end, and releases what it holds. */
  readonly freeze: () => void
}

const maxResourceTypes = 64
const maxNamedSeries = 512
const maxNotes = 50
const maxPaths = 50
const maxSteps = 200

/** The information that is missing without a field of fibers. */
const missingWithout = (field: string): string =>
  ({
    _parent: "which fiber is the parent of which",
    _running: "which fiber runs at the moment",
    _stack: "where fibers wait",
    _interruptedCause: "which fibers are being interrupted",
    interruptible: "which fibers can be interrupted"
  })[field] ?? `the field ${field} of fibers`

const listOf = (parts: ReadonlyArray<string>): string =>
  parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`

const pointsOf = (
  all: ReadonlyMap<string, TimeSeries.TimeSeries>
): ReadonlyMap<string, ReadonlyArray<TimeSeries.Point>> =>
  new Map([...all].map(([name, series]) => [name, series.points()]))

/**
 * Makes the observation of a process of which nothing is known yet.
 *
 * @category constructors
 */
export const make = (options?: {
  /** Milliseconds that are remembered. Default: all, with a resolution that gets coarser. */
  readonly windowMs?: number | undefined
  /** Translates a place to the sources. Default: the place as the process reports it. */
  readonly resolve?: ((place: Place) => Place) | undefined
  /** Finds the declaration of a variable, as seen from a resolved place. Default: none is found. */
  readonly declaration?: HeapPathSources["declaration"] | undefined
  /** Finds the version of a copy of Effect in a bundle, if it is known. */
  readonly effectVersion?: ((bundle: string) => string | undefined) | undefined
  /** Called when the process introduces itself, before any place is resolved. */
  readonly met?: ((hello: Hello) => void) | undefined
}): Observation => {
  const resolve = options?.resolve ?? ((place: Place) => place)
  const resolved = (place: Place | undefined) => place === undefined ? undefined : resolve(place)
  const series = new Map<SignalName, TimeSeries.TimeSeries>()
  const sites = new Map<number, FiberSiteRecord>()
  const partOf = new Map<number, number>()
  const resources = new Map<string, TimeSeries.TimeSeries>()
  const gauges = new Map<string, TimeSeries.TimeSeries>()
  const metricSeries = new Map<string, TimeSeries.TimeSeries>()
  const allocations = AllocationSites.make(options)
  const tests = TestFiles.make()
  let copies: ReadonlyArray<Copy> = []
  const notes: Array<string> = []
  let pieces: Array<Samples> = []
  const unsupported: Array<string> = []
  const problems: Array<string> = []
  let hello: Hello | undefined
  let lastTick: Tick | undefined
  let ended = false
  let frozen = false
  let startMs = 0
  let now = 0
  let readings = 0
  let pausedMs = 0
  let heapSnapshots: Observation["heapSnapshots"] = { taken: [], refused: [], pausedMs: 0 }
  let growth: HeapGrowth | undefined
  let silentMs = 0

  const add = (name: SignalName, t: number, value: number): void => {
    let signal = series.get(name)
    if (signal === undefined) {
      const merge = signals[name].kind === "floor" ? "lowest" : "mean"
      series.set(name, signal = TimeSeries.make({ merge, windowMs: options?.windowMs }))
    }
    signal.add(t, value)
  }

  const addTo = (all: Map<string, TimeSeries.TimeSeries>, name: string, t: number, value: number): void => {
    let known = all.get(name)
    if (known === undefined) {
      if (all.size >= maxNamedSeries) return
      all.set(name, known = TimeSeries.make({ windowMs: options?.windowMs }))
    }
    known.add(t, value)
  }

  /** Adds a complete set of values. Series that are missing from it have ended, and get 0. */
  const addAll = (
    all: Map<string, TimeSeries.TimeSeries>,
    t: number,
    values: ReadonlyArray<readonly [name: string, value: number]>
  ): void => {
    const now = new Map(values)
    for (const [name, value] of now) addTo(all, name, t, value)
    for (const [name, known] of all) if (!now.has(name)) known.add(t, 0)
  }

  const emptySite = (id: number): FiberSiteRecord => ({
    id,
    fork: undefined,
    runs: undefined,
    chain: [],
    lives: Lifetimes.make(options),
    abandoned: Lifetimes.make(options),
    waiting: [],
    looks: 0,
    timer: 0,
    lines: new Map()
  })

  const site = (id: number): FiberSiteRecord => {
    let record = sites.get(id)
    if (record === undefined) sites.set(id, record = emptySite(id))
    return record
  }

  /** The records for a site id: the site itself, and the site that it is a part of. */
  const sitesOf = (id: number): ReadonlyArray<FiberSiteRecord> => {
    const whole = partOf.get(id)
    return whole === undefined ? [site(id)] : [site(whole), site(whole).lines.get(id)!]
  }

  const takeSite = (message: SiteMessage): void => {
    const { chain, fork, id, of, runs } = message
    const named = { fork: resolved(fork), runs: resolved(runs), chain: chain.map(resolve) }
    if (of === undefined) {
      sites.set(id, { ...site(id), ...named })
      return
    }
    partOf.set(id, of)
    site(of).lines.set(id, { ...emptySite(id), ...named })
  }

  /** Adds a note. Their number is bounded, and each is kept once. */
  const note = (sentence: string): void => {
    if (notes.length < maxNotes && !notes.includes(sentence)) notes.push(sentence)
  }

  const takeUnsupported = ({ what, where }: Unsupported): void => {
    if (unsupported.length < maxNotes && !unsupported.includes(what)) unsupported.push(what)
    copies = copies.filter((copy) => copy.where !== where)
  }

  /** Takes a reading, which may come in pieces. If the last piece is missing, the program ended in the middle. */
  const takeSamples = (message: Samples): void => {
    pieces.push(message)
    if (message.more === true) return
    const whole = { ...message, born: pieces.flatMap(({ born }) => born), died: pieces.flatMap(({ died }) => died) }
    pieces = []
    pausedMs += message.pauseMs
    allocations.take(whole)
  }

  const takeWaiting = (message: Waiting): void => {
    const record = site(message.site)
    const places = message.places.map(({ count, place }) => ({ count, place: resolve(place) }))
    // In a bundle, only the source map shows which code belongs to a library.
    record.waiting = places.filter(({ place }) => isProgramFrame(place))
    record.looks++
    const { looked, timers = [] } = message
    record.timer = timers.length > 0 && timers.length >= looked ? Math.min(...timers) : 0
  }

  const takeHeapSnapshot = ({ pauseMs, refused, t }: HeapSnapshotTaken): void => {
    const { pausedMs: before, refused: reasons, taken } = heapSnapshots
    heapSnapshots = {
      taken: refused === undefined ? [...taken, t].slice(-maxNotes) : taken,
      refused: refused === undefined ? reasons : [...reasons, refused].slice(-maxNotes),
      pausedMs: before + pauseMs
    }
  }

  /** A path with its places in the sources. A recording may have paths without end. */
  const takeGrowth = (message: HeapGrowth): void => {
    const resolvedPath = (path: HeapPath): HeapPath => ({
      ...path,
      steps: resolveSteps(path.steps.slice(0, maxSteps), {
        resolve,
        declaration: options?.declaration ?? (() => undefined)
      })
    })
    growth = { ...message, paths: message.paths.slice(0, maxPaths).map(resolvedPath) }
  }

  const takeTick = (tick: Tick): void => {
    lastTick = tick
    tests.take(tick)
    const { t } = tick
    // The final tick is from a process that has already released most of what it held.
    if (tick.final !== true) addReadings(tick)
    for (const [id, bornSecond, tenured, endedCount, abandoned] of tick.flow) {
      const born = bornSecond * 1000
      for (const record of sitesOf(id)) {
        if (tenured > 0) record.lives.recordBirth(born, tenured)
        if (endedCount + abandoned > 0) record.lives.recordDeath(born, t, endedCount + abandoned)
        if (abandoned > 0) record.abandoned.recordBirth(t, abandoned)
      }
    }
  }

  const addReadings = (tick: Tick): void => {
    const { t } = tick
    add("fibers.live", t, tick.fibers.live)
    add("fibers.started", t, tick.fibers.started)
    add("fibers.ended", t, tick.fibers.ended)
    add("fibers.abandoned", t, tick.fibers.abandoned)
    add("heap.used", t, tick.memory.heapUsed)
    add("rss", t, tick.memory.rss)
    add("external", t, tick.memory.external)
    add("arrayBuffers", t, tick.memory.arrayBuffers)
    add("eventloop.delay", t, tick.loop.p99)
    add("eventloop.utilization", t, tick.loop.utilization)
    add("gc.pause", t, tick.gc.pauseMs)
    // The lowest of several floors in one interval counts.
    if (tick.floors.length > 0) add("heap.floor", t, Math.min(...tick.floors.map(({ bytes }) => bytes)))
    for (const { external } of tick.floors) if (external !== undefined) add("external.floor", t, external)
    readings += tick.floors.filter(({ forced }) => forced).length
    for (const [type, count] of Object.entries(tick.resources)) {
      let known = resources.get(type)
      if (known === undefined) {
        if (resources.size >= maxResourceTypes) continue
        resources.set(type, known = TimeSeries.make({ windowMs: options?.windowMs }))
        if (t > 2000) known.add(0, 0)
      }
      known.add(t, count)
    }
    for (const [type, known] of resources) if (!Object.hasOwn(tick.resources, type)) known.add(t, 0)
  }

  return {
    get hello() {
      return hello
    },
    get copies() {
      return copies
    },
    unsupported,
    problems,
    notes,
    sites,
    allocations,
    series: (name) => series.get(name)?.points() ?? [],
    get durationMs() {
      return Math.max(0, now - startMs)
    },
    get window() {
      return { start: Math.max(startMs, options?.windowMs === undefined ? 0 : now - options.windowMs), end: now }
    },
    get lastTick() {
      return lastTick
    },
    get tests() {
      return tests.files()
    },
    get readings() {
      return readings
    },
    get pausedMs() {
      return pausedMs
    },
    get heapSnapshots() {
      return heapSnapshots
    },
    get growth() {
      return growth === undefined || growth.t < now - (options?.windowMs ?? Infinity) ? undefined : growth
    },
    get resources() {
      return pointsOf(resources)
    },
    get gauges() {
      return pointsOf(gauges)
    },
    get metricSeries() {
      return pointsOf(metricSeries)
    },
    get silentMs() {
      return silentMs
    },
    get ended() {
      return ended
    },
    freeze: () => {
      frozen = true
    },
    take: (message) => {
      if (frozen) {
        if (message.type === "tick") lastTick = message
        if (message.type === "bye") ended = true
        if (message.type === "growth") takeGrowth(message)
        return
      }
      if ("t" in message) now = Math.max(now, message.t)
      switch (message.type) {
        case "hello":
          options?.met?.(message)
          allocations.sampling({ t: 0, bytes: message.samplingBytes })
          hello = message
          return
        case "copy":
          if (copies.length === 0) startMs = message.t
          copies = [...copies, { ...message, effect: message.effect ?? options?.effectVersion?.(message.where) }]
          return
        case "unsupported":
          return takeUnsupported(message)
        case "lacking":
          return note(`this version of effect does not show ${listOf(message.missing.map(missingWithout))}`)
        case "problem":
          if (problems.length < maxNotes) problems.push(`${message.probe}: ${message.message}`)
          return
        case "site":
          return takeSite(message)
        case "tick":
          return takeTick(message)
        case "stack":
          return allocations.stack({ ...message, frames: message.frames.map(resolve) })
        case "sampling":
          pieces = []
          if (message.living !== undefined) {
            note(
              `${message.living} sampled objects were alive, too many to send: from then on one allocation in ${message.bytes} bytes is sampled`
            )
          }
          return allocations.sampling(message)
        case "samples":
          return takeSamples(message)
        case "waiting":
          return takeWaiting(message)
        case "heapSnapshot":
          return takeHeapSnapshot(message)
        case "growth":
          return takeGrowth(message)
        case "silent":
          silentMs = message.ms
          return
        case "metrics":
          addAll(gauges, message.t, message.gauges)
          addAll(metricSeries, message.t, message.series)
          return
        case "bye":
          ended = true
      }
    }
  }
}
