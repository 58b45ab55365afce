/** The result of a run. `--json` writes it, and every rendering is made from it. */
import * as Schema from "effect/Schema"
import type { Diagnosis, Verdict } from "../diagnosis/Diagnosis.ts"
import { Finding, Site } from "../Finding.ts"
import type { Observation } from "../observation/Observation.ts"
import { placeOfSite } from "../observation/placeOfSite.ts"
import type { ProgramEnd } from "../observation/ProgramEnd.ts"
import { signals } from "../observation/Signal.ts"
import type { SignalName } from "../observation/Signal.ts"
import { siteOf } from "../places/Site.ts"
import { limits } from "../statistics/limits.ts"

export type { ProgramEnd } from "../observation/ProgramEnd.ts"

/**
 * The version of the report's format. A reader refuses a version it does not know.
 *
 * @category constants
 */
export const reportVersion = 1

const VerdictSchema = Schema.Literals(["leak", "ok", "undecided"])

/**
 * A signal over time. `points` are `[milliseconds since the start, value]`, oldest first.
 *
 * @category models
 */
export const SignalSeries = Schema.Struct({
  unit: Schema.String,
  points: Schema.Array(Schema.Tuple([Schema.Finite, Schema.Finite]))
})

/**
 * The result for one process of the observed program.
 *
 * @category models
 */
export const ProcessReport = Schema.Struct({
  pid: Schema.Int,
  thread: Schema.Int,
  argv: Schema.Array(Schema.String),
  node: Schema.String,
  effect: Schema.Array(Schema.String),
  verdict: VerdictSchema,
  because: Schema.String,
  durationMs: Schema.Finite,
  fibers: Schema.Struct({
    started: Schema.Int,
    ended: Schema.Int,
    abandoned: Schema.Int,
    live: Schema.Int
  }),
  /** With `--sites all`: the number of stacks taken, and the milliseconds that it took. */
  forkLines: Schema.optionalKey(Schema.Struct({ stacks: Schema.Int, ms: Schema.Finite })),
  /** Forced major collections, and the milliseconds for which they paused the program. */
  readings: Schema.Struct({ count: Schema.Int, pausedMs: Schema.Finite }),
  /** Snapshots of the heap, and the milliseconds for which they paused the program. */
  heapSnapshots: Schema.optionalKey(Schema.Struct({ count: Schema.Int, pausedMs: Schema.Finite })),
  signals: Schema.Record(Schema.String, SignalSeries),
  /** Parts that failed and were switched off, and copies of effect that cannot be observed. */
  problems: Schema.Array(Schema.String),
  /** Limits of the observation, in sentences. */
  notes: Schema.optionalKey(Schema.Array(Schema.String))
})

/**
 * The fibers that a test file started, and those that were alive at its end.
 *
 * @category models
 */
export const TestFileReport = Schema.Struct({
  file: Schema.String,
  pid: Schema.Int,
  thread: Schema.Int,
  started: Schema.Int,
  left: Schema.Int,
  sites: Schema.Array(Schema.Struct({ site: Site, count: Schema.Int }))
})

/**
 * The fibers of one test file.
 *
 * @category models
 */
export type TestFileReport = typeof TestFileReport.Type

/**
 * **Details**
 *
 * `verdict` is the worst of the processes: `leak`, else `undecided`, else `ok`. A process or thread that ended by itself before it could
 * be judged is ignored if there are others. One that is still too young to be judged is ignored beside an older one, and `because`
 * mentions it. `signals` are those of the process with the worst verdict. `program.code` is absent when a signal ended the program or
 * the tool stopped it. Tests are too short for a verdict on memory: a test run is `ok` when no fiber was alive at the end of any file,
 * else `undecided`.
 *
 * @category models
 */
export const Report = Schema.Struct({
  version: Schema.Literal(reportVersion),
  verdict: VerdictSchema,
  because: Schema.String,
  findings: Schema.Array(Finding),
  undecided: Schema.Array(Schema.Struct({
    rule: Schema.String,
    what: Schema.String,
    why: Schema.String,
    wouldTake: Schema.String
  })),
  signals: Schema.Record(Schema.String, SignalSeries),
  durationMs: Schema.Finite,
  program: Schema.Struct({
    command: Schema.Array(Schema.String),
    code: Schema.optionalKey(Schema.Int),
    signal: Schema.optionalKey(Schema.String),
    stoppedByTool: Schema.Boolean
  }),
  processes: Schema.Array(ProcessReport),
  /** With a test runner: its files, ordered by the number of fibers alive at their end, the most first. */
  tests: Schema.optionalKey(Schema.Array(TestFileReport)),
  versions: Schema.Struct({
    fiberscope: Schema.String,
    node: Schema.String,
    effect: Schema.Array(Schema.String)
  })
})

/**
 * The report on a run.
 *
 * @category models
 */
export type Report = typeof Report.Type

/**
 * The report on one process.
 *
 * @category models
 */
export type ProcessReport = typeof ProcessReport.Type

/**
 * Makes the report of a run from the observations of its processes.
 *
 * @category constructors
 */
export const make = (options: {
  readonly processes: ReadonlyArray<{ readonly observation: Observation; readonly diagnosis: Diagnosis }>
  readonly end: ProgramEnd
  readonly durationMs: number
  readonly version: string
  /** The reason why no fiber was seen, if none was. */
  readonly unseen?: string | undefined
}): Report => {
  const { durationMs, end, version } = options
  // Threads and processes that ran no fiber are left out if others ran one.
  const observed = options.processes.filter(({ observation }) => observation.copies.length > 0)
  const processes = observed.length > 0 ? observed : options.processes
  const { lasting, young } = byAge(processes)
  const worst = worstOf(lasting)
  const tests = testsOf(processes)
  const summary = summaryOf(tests)
  const isTestRun = summary !== undefined &&
    lasting.every(({ diagnosis, observation }) =>
      diagnosis.verdict !== "leak" && (observation.tests.length > 0 || observation.durationMs < limits.okAfter)
    )
  const reports = processes.map(({ diagnosis, observation }) => processReport(observation, diagnosis))
  return {
    version: reportVersion,
    verdict: isTestRun ? summary.verdict : worst?.diagnosis.verdict ?? "undecided",
    because: isTestRun
      ? summary.because
      : worst === undefined
      ? options.unseen ?? nothingSeen
      : becauseOf(worst.diagnosis, young),
    findings: processes.flatMap(({ diagnosis }) => diagnosis.findings),
    undecided: processes.flatMap(({ diagnosis }) => diagnosis.suspicions),
    signals: worst === undefined ? {} : signalsOf(worst.observation),
    durationMs,
    program: {
      command: end.command,
      ...(end.code === undefined ? {} : { code: end.code }),
      ...(end.signal === undefined ? {} : { signal: end.signal }),
      stoppedByTool: end.stoppedByTool
    },
    processes: reports,
    ...(tests.length === 0 ? {} : { tests }),
    versions: {
      fiberscope: version,
      node: reports[0]?.node ?? "unknown",
      effect: [...new Set(reports.flatMap(({ effect }) => effect))]
    }
  }
}

interface Observed {
  readonly diagnosis: Diagnosis
  readonly observation: Observation
}

/** The processes that can be judged, if there are any, and the number of processes that are too young and have not ended. */
const byAge = <A extends Observed>(
  processes: ReadonlyArray<A>
): { readonly lasting: ReadonlyArray<A>; readonly young: number } => {
  const tooYoung = ({ diagnosis, observation }: A) =>
    diagnosis.verdict === "undecided" && observation.durationMs < limits.okAfter
  const old = processes.filter((one) => !tooYoung(one))
  const living = processes.filter(({ observation }) => !observation.ended)
  // A process that ended by itself holds no memory any more, so it is not counted as too young.
  if (old.length > 0) return { lasting: old, young: living.filter(tooYoung).length }
  return { lasting: living.length > 0 ? living : processes, young: 0 }
}

const becauseOf = ({ because, verdict }: Diagnosis, young: number): string =>
  verdict !== "ok" || young === 0
    ? because
    : `${because}; ${
      young === 1 ? "1 thread or process was" : `${young} threads or processes were`
    } too young to be judged`

const rank: Readonly<Record<Verdict, number>> = { leak: 0, undecided: 1, ok: 2 }

const worstOf = <A extends Observed>(processes: ReadonlyArray<A>): A | undefined =>
  [...processes].sort((a, b) =>
    rank[a.diagnosis.verdict] - rank[b.diagnosis.verdict]
    || (b.observation.lastTick?.fibers.started ?? 0) - (a.observation.lastTick?.fibers.started ?? 0)
  )[0]

const testsOf = (processes: ReadonlyArray<Observed>): ReadonlyArray<TestFileReport> =>
  processes.flatMap(({ observation: { hello, sites, tests } }) =>
    tests.map(({ file, left, sites: counts, started }) => ({
      file,
      pid: hello?.pid ?? 0,
      thread: hello?.thread ?? 0,
      started,
      left,
      sites: [...counts].map(([id, count]) => {
        const place = sites.has(id) ? placeOfSite(sites.get(id)!) : undefined
        return { site: place === undefined ? { name: "(no Effect.fn or span)" } : siteOf(place), count }
      })
    }))
  ).sort((a, b) => b.left - a.left || b.started - a.started)

/** The verdict on a test run. */
const summaryOf = (tests: ReadonlyArray<TestFileReport>): Pick<Report, "verdict" | "because"> | undefined => {
  if (tests.length === 0) return undefined
  const files = (count: number) => `${count} test ${count === 1 ? "file" : "files"}`
  const leaving = tests.filter(({ left }) => left > 0)
  const left = leaving.reduce((sum, file) => sum + file.left, 0)
  return leaving.length === 0
    ? {
      verdict: "ok",
      because: `no fiber was alive at the end of ${files(tests.length)}; tests are too short to judge memory`
    }
    : {
      verdict: "undecided",
      because: `${left} ${left === 1 ? "fiber was" : "fibers were"} alive at the end of ${leaving.length} of ${
        files(tests.length)
      }; tests are too short to show whether they end later`
    }
}

const nothingSeen = "no fiber of effect was seen in any process of the program"

const processReport = (observation: Observation, diagnosis: Diagnosis): ProcessReport => {
  const { copies, hello, lastTick } = observation
  const notes = [
    ...observation.notes,
    ...observation.heapSnapshots.refused.map((why) => `no snapshot of the heap: ${why}`)
  ]
  return {
    pid: hello?.pid ?? 0,
    thread: hello?.thread ?? 0,
    argv: hello?.argv ?? [],
    node: hello?.node ?? "unknown",
    effect: copies.map(({ effect, where }) => effect ?? `of an unknown version (${where.split(/[\\/]/).at(-1)!})`),
    verdict: diagnosis.verdict,
    because: diagnosis.because,
    durationMs: observation.durationMs,
    fibers: {
      started: lastTick?.fibers.started ?? 0,
      ended: lastTick?.fibers.ended ?? 0,
      abandoned: lastTick?.fibers.abandoned ?? 0,
      live: lastTick?.fibers.live ?? 0
    },
    ...(lastTick?.own.forkLines === undefined ? {} : { forkLines: lastTick.own.forkLines }),
    readings: { count: observation.readings, pausedMs: observation.pausedMs },
    ...(observation.heapSnapshots.taken.length === 0
      ? {}
      : {
        heapSnapshots: { count: observation.heapSnapshots.taken.length, pausedMs: observation.heapSnapshots.pausedMs }
      }),
    signals: signalsOf(observation),
    problems: [...observation.problems, ...diagnosis.problems, ...observation.unsupported],
    ...(notes.length === 0 ? {} : { notes })
  }
}

const signalsOf = (observation: Observation): Report["signals"] => {
  const out: Record<string, { unit: string; points: ReadonlyArray<readonly [number, number]> }> = {}
  for (const name of Object.keys(signals) as ReadonlyArray<SignalName>) {
    const points = observation.series(name)
    if (points.length > 0) {
      out[name] = {
        unit: signals[name].unit,
        points: points.map(({ t, value }) => [t, value] as const)
      }
    }
  }
  return out
}
