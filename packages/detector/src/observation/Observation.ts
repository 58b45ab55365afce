/**
 * What is known of one process: a recording, taken in line by line and kept bounded.
 *
 * It holds no clock and does no judging; rules read it. The same observation comes out of a live connection and of a file.
 */
import type {
  Copy,
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
  /** Fibers as they were found collected without an end; these never die. */
  readonly abandoned: Lifetimes.Lifetimes
  /** Where they were seen to wait. */
  waiting: Waiting["places"]
  /** How often somebody looked where they wait. */
  looks: number
  /** Milliseconds after which a timer wakes them at the earliest; 0 where one of those that were looked at waits for something else. */
  timer: number
  /** Those of them of which the line of the fork is known, by that line; they are among the others too. */
  readonly lines: Map<number, FiberSiteRecord>
}

/**
 * All that is known of one process.
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
  /** What the observation cannot show, in sentences. */
  readonly notes: ReadonlyArray<string>
  readonly sites: ReadonlyMap<number, FiberSiteRecord>
  readonly allocations: Allocations
  readonly series: (name: SignalName) => ReadonlyArray<TimeSeries.Point>
  /** Milliseconds between the first copy of Effect and the last word. */
  readonly durationMs: number
  /** What the rules look at: from the first copy of Effect, or the beginning of the window, to the last word. */
  readonly window: Window
  readonly lastTick: Tick | undefined
  /** The files of tests that the process ran, in order. */
  readonly tests: ReadonlyArray<TestFile>
  /** Readings of the heap after a major collection. */
  readonly readings: number
  /** Milliseconds that the program stood still for readings. */
  readonly pausedMs: number
  readonly resources: ReadonlyMap<string, ReadonlyArray<TimeSeries.Point>>
  /** Gauges of the program by name, and the number of series of its metrics. */
  readonly gauges: ReadonlyMap<string, ReadonlyArray<TimeSeries.Point>>
  readonly metricSeries: ReadonlyMap<string, ReadonlyArray<TimeSeries.Point>>
  /** The process said that it ends by itself. */
  readonly ended: boolean
  readonly take: (message: Message) => void
  /** From now on only counts are taken in: the program is asked to end, and lets go of what it kept. */
  readonly freeze: () => void
}

const maxResourceTypes = 64
const maxNamedSeries = 512
const maxNotes = 50

/** What is not known without a field of a fiber. */
const untold = (field: string): string =>
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
  /** What a place is called in the sources. Default: as the process calls it. */
  readonly resolve?: ((place: Place) => Place) | undefined
  /** The version of a copy of Effect in a bundle, if it is known. */
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

  /** All that there are now: what is not among them any more has ended with what it counted. */
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

  /** The site of fibers, and that of which it is a part. */
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

  /** Bounded, and each sentence once. */
  const note = (sentence: string): void => {
    if (notes.length < maxNotes && !notes.includes(sentence)) notes.push(sentence)
  }

  const takeUnsupported = ({ what, where }: Unsupported): void => {
    if (unsupported.length < maxNotes && !unsupported.includes(what)) unsupported.push(what)
    copies = copies.filter((copy) => copy.where !== where)
  }

  /** A reading may come in pieces; one whose last piece never came was cut by the end of the program. */
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
    // In a bundle only the source map tells what belongs to a library.
    record.waiting = places.filter(({ place }) => isProgramFrame(place))
    record.looks++
    const { looked, timers = [] } = message
    record.timer = timers.length > 0 && timers.length >= looked ? Math.min(...timers) : 0
  }

  const takeTick = (tick: Tick): void => {
    lastTick = tick
    tests.take(tick)
    const { t } = tick
    // The last words come from a process that has let go of most things.
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
    // Several floors of one interval are one: the lowest.
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
    get resources() {
      return pointsOf(resources)
    },
    get gauges() {
      return pointsOf(gauges)
    },
    get metricSeries() {
      return pointsOf(metricSeries)
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
          return note(`this version of effect does not tell ${listOf(message.missing.map(untold))}`)
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
              `${message.living} sampled objects were alive, too many to tell: one in ${message.bytes} bytes is sampled from then on`
            )
          }
          return allocations.sampling(message)
        case "samples":
          return takeSamples(message)
        case "waiting":
          return takeWaiting(message)
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
