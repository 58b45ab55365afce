/**
 * Chooses the runs of an exploration and their order. It is a generator that receives the outcome of each run it requests, so
 * that the synchronous and the asynchronous driver share it.
 */
import type { Fault, FaultKind, Plan, Point, TaskOrder } from "../Point.ts"
import type { Outcome } from "./Lab.ts"
import { seeded } from "./seeded.ts"
import type { Recording } from "./Stage.ts"

export type PointKind = "park" | "task" | "idle" | "delivery"

export interface ExplorationOptions {
  readonly driver: "virtual" | "async"
  readonly kinds: ReadonlySet<PointKind>
  readonly orders: ReadonlyArray<TaskOrder>
  readonly seed: number
  readonly pairs: boolean
  readonly faults: ReadonlyArray<FaultKind>
  readonly maxRuns: number
  /** When to stop, on the clock of `performance.now`. */
  readonly until: number
}

/** A run to play. `record` requests the points at which it can be interrupted. */
export interface Step {
  readonly plan: Plan
  readonly record: boolean
  /** The results so far. */
  readonly explored?: Explored | undefined
}

export interface Explored {
  readonly undisturbed: Outcome
  readonly failures: Array<Outcome>
  runs: number
  /** The number of runs of an exhaustive exploration; fewer were played if it exceeds the budget. */
  planned: number
  readonly points: { park: number; task: number; idle: number }
  /** The first run, and the number of runs, that did not reach their point. */
  drifted: Outcome | undefined
  drifts: number
}

/** The number of failures after which an exploration stops: more of them add no information. */
const maxFailures = 100

type Exploration<A> = Generator<Step, A, Outcome>

/** The points of a recording with the trace of the run at each, in the order in which they are explored. */
const pointsOf = (recording: Recording, kinds: ReadonlySet<PointKind>): Recording["Park"] =>
  (["Park", "Task", "Idle"] as const).flatMap((tag) => kinds.has(kindOf[tag]) ? recording[tag] : [])

const kindOf = { Park: "park", Task: "task", Idle: "idle" } as const

/** A run without points, which is the baseline for interrupted runs: their traces are compared with it. */
interface Baseline {
  readonly plan: Plan
  readonly points: Recording["Park"]
}

export function* explore(options: ExplorationOptions): Exploration<Explored> {
  const baselines: Array<Baseline> = []
  let explored: Explored | undefined
  for (const order of options.orders) {
    const plan: Plan = { driver: options.driver, points: [], order, seed: options.seed, fault: undefined }
    const undisturbed = yield { plan, record: true, explored }
    explored ??= {
      undisturbed,
      failures: [],
      runs: 0,
      planned: 0,
      points: { park: 0, task: 0, idle: 0 },
      drifted: undefined,
      drifts: 0
    }
    explored.runs++
    // A program that fails undisturbed fails at every point.
    if (undisturbed.problems.length > 0) {
      explored.failures.push(undisturbed)
      return explored
    }
    baselines.push({ plan, points: pointsOf(undisturbed.stage.recording, options.kinds) })
    for (const fault of faultsOf(options.faults, undisturbed)) {
      const faulty: Plan = { ...plan, fault }
      const outcome: Outcome = yield { plan: faulty, record: true, explored }
      explored.runs++
      if (outcome.problems.length > 0) explored.failures.push(outcome)
      else baselines.push({ plan: faulty, points: pointsOf(outcome.stage.recording, options.kinds) })
    }
  }
  yield* explorePoints(options, explored!, baselines)
  return explored!
}

const faultsOf = (kinds: ReadonlyArray<FaultKind>, { ledger }: Outcome): ReadonlyArray<Fault> =>
  kinds.flatMap((kind) =>
    Array.from(
      { length: kind === "failingAcquire" ? ledger.counts.acquired : ledger.counts.released },
      (_, at) => ({ kind, at: at + 1 })
    )
  )

function* explorePoints(
  options: ExplorationOptions,
  explored: Explored,
  baselines: ReadonlyArray<Baseline>
): Exploration<void> {
  const random = seeded(options.seed)
  const total = baselines.reduce((sum, { points }) => sum + points.length, 0)
  const firsts: Array<{ readonly plan: Plan; readonly seconds: ReadonlyArray<Point> }> = []
  explored.planned = explored.runs + total
  // In random order if the time may not suffice for all of them.
  const shuffled = options.until < Infinity
  for (const index of choose(total, options.maxRuns - explored.runs, shuffled, random)) {
    if (isOver(options, explored)) return
    let at = index
    let baseline = 0
    while (at >= baselines[baseline]!.points.length) at -= baselines[baseline++]!.points.length
    const { plan: base } = baselines[baseline]!
    const [point, trace] = baselines[baseline]!.points[at]!
    const plan: Plan = { ...base, points: [point] }
    const outcome = yield { plan, record: options.pairs, explored }
    explored.runs++
    explored.points[kindOf[point._tag]]++
    if (outcome.stage.applied[0]?.trace !== trace) {
      explored.drifts++
      explored.drifted ??= outcome
      if (options.driver === "virtual") return
    }
    if (outcome.problems.length > 0) explored.failures.push(outcome)
    else if (options.pairs) {
      const seconds = pointsOf(outcome.stage.recording, options.kinds).map(([second]) => second)
      if (seconds.length > 0) firsts.push({ plan, seconds })
    }
  }
  const pairs = firsts.reduce((sum, { seconds }) => sum + seconds.length, 0)
  explored.planned += pairs
  for (const index of choose(pairs, options.maxRuns - explored.runs, shuffled, random)) {
    if (isOver(options, explored)) return
    let at = index
    let first = 0
    while (at >= firsts[first]!.seconds.length) at -= firsts[first++]!.seconds.length
    const { plan, seconds } = firsts[first]!
    const outcome = yield { plan: { ...plan, points: [...plan.points, seconds[at]!] }, record: false, explored }
    explored.runs++
    explored.points[kindOf[seconds[at]!._tag]]++
    if (outcome.problems.length > 0) explored.failures.push(outcome)
  }
}

const isOver = (options: ExplorationOptions, explored: Explored): boolean =>
  explored.failures.length >= maxFailures || performance.now() >= options.until

/** At most `most` of the numbers below `total`: all of them in order, or a random sample. */
function* choose(total: number, most: number, shuffled: boolean, random: () => number): Generator<number> {
  if (total <= most && !shuffled) {
    for (let i = 0; i < total; i++) yield i
    return
  }
  // A partial Fisher-Yates shuffle that stores only the moved numbers.
  const moved = new Map<number, number>()
  for (let i = 0; i < Math.min(total, most); i++) {
    const at = i + Math.floor(random() * (total - i))
    yield moved.get(at) ?? at
    moved.set(at, moved.get(i) ?? i)
  }
}

/** The maximum number of runs in the search for a simpler failure. */
const shrinkRuns = 500

/** The number of alternatives tried when looking for one deviation from the order. */
const maxChoice = 3

/**
 * Looks for the simplest failure: an earlier point of the same kind, when not all were played; the order of Effect's own
 * scheduler instead of a random one; then as few deviations from it as possible.
 */
export function* shrink(options: ExplorationOptions, explored: Explored): Exploration<Outcome> {
  let best = explored.failures.reduce((a, b) => compare(b.plan, a.plan) < 0 ? b : a)
  let runs = 0
  const first = best.plan.points[0]
  if (best.plan.points.length === 1 && first?._tag === "Park" && explored.planned > explored.runs) {
    const { stage } = yield { plan: { ...best.plan, points: [] }, record: true }
    for (const [point] of pointsOf(stage.recording, options.kinds)) {
      if (comparePoints(point, first) >= 0 || runs++ >= shrinkRuns) break
      const outcome = yield { plan: { ...best.plan, points: [point] }, record: false }
      if (outcome.problems.length === 0 || outcome.stage.applied.length === 0) continue
      best = outcome
      break
    }
  }
  if (best.plan.order._tag === "Fifo") return best
  const fifo = yield* explore({
    ...options,
    orders: [{ _tag: "Fifo" }],
    maxRuns: shrinkRuns,
    pairs: false,
    until: Infinity
  })
  if (fifo.failures.length > 0 && fifo.drifted === undefined) {
    return fifo.failures.reduce((a, b) => compare(b.plan, a.plan) < 0 ? b : a)
  }
  let choices: ReadonlyArray<number> = best.stage.choices
  const fails = ({ problems, stage }: Outcome) => problems.length > 0 && stage.applied.length >= best.plan.points.length
  // One deviation often suffices, but rarely one of those that the seed has chosen: each changes the options of the next ones.
  runs = 0
  for (let at = 0; at < choices.length; at++) {
    for (let choice = 1; choice <= maxChoice && runs < shrinkRuns; choice++, runs++) {
      const single = ordered([...choices.slice(0, at).fill(0), choice])
      const outcome = yield { plan: { ...best.plan, order: single }, record: false }
      if (fails(outcome)) return outcome
    }
  }
  runs = 0
  for (let at = choices.length - 1; at >= 0 && runs < shrinkRuns; at--) {
    if (choices[at] === 0) continue
    runs++
    const simpler = choices.with(at, 0)
    const outcome = yield { plan: { ...best.plan, order: ordered(simpler) }, record: false }
    if (!fails(outcome)) continue
    best = outcome
    choices = simpler
  }
  return yield { plan: { ...best.plan, order: ordered(choices) }, record: false }
}

const ordered = (choices: ReadonlyArray<number>): TaskOrder => {
  const last = choices.findLastIndex((choice) => choice !== 0)
  return last < 0 ? { _tag: "Fifo" } : { _tag: "Choices", choices: choices.slice(0, last + 1) }
}

/** Simpler plans first: fewer points, no fault, an earlier point. */
const compare = (a: Plan, b: Plan): number =>
  a.points.length - b.points.length
  || Number(a.fault !== undefined) - Number(b.fault !== undefined)
  || a.points.reduce((order, point, i) => order || comparePoints(point, b.points[i]!), 0)

const rank = { Park: 0, Task: 1, Idle: 2 }

const comparePoints = (a: Point, b: Point): number =>
  rank[a._tag] - rank[b._tag] || positionOf(a) - positionOf(b) || (a.victim ?? 0) - (b.victim ?? 0)

const positionOf = (point: Point): number =>
  point._tag === "Park" ? point.op : point._tag === "Task" ? point.task : point.idle
