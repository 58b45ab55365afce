// Heart beats of a patient, and their trend.
// The twin of leak.ts: a step of the trend needs the step before, and does not keep it.
import { Effect, Schedule, Stream } from "effect"
import "../../support/life.ts"

interface Step {
  readonly beat: ReadonlyArray<number>
  readonly trend: number
  readonly before?: Step
}

const beats = Stream.fromEffectSchedule(
  Effect.sync(() => Array.from({ length: 80 }, (_, n) => Math.sin(n) + Math.random())),
  Schedule.spaced("10 millis")
)

const peak = (beat: ReadonlyArray<number>) => Math.max(...beat)

Effect.runFork(
  beats.pipe(
    Stream.scan(
      (): Step => ({ beat: [0], trend: 0 }),
      (before, beat): Step => ({ beat, trend: 0.9 * before.trend + peak(beat) - peak(before.beat) })
    ),
    Stream.filter(({ trend }) => Math.abs(trend) > 0.2),
    Stream.grouped(25),
    Stream.runForEach((alarms) => Effect.succeed(alarms.length))
  )
)
