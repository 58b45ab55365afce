// Telegrams of machines in a factory, one stream, grouped by production order. For each order a mean is kept.
//
// The group of an order is closed when nothing has come for a second.
import { Effect, Schedule, Stream } from "effect"
import "../../support/life.ts"

type Telegram = { order: number; station: number; torque: number; last: boolean }

let clock = 0
const telegram = (): Telegram => {
  const n = clock++
  return { order: Math.floor(n / 24) - (n % 2), station: n % 12, torque: Math.random() * 40, last: n % 12 > 9 }
}

const mean = (values: Array<number>) => values.reduce((a, b) => a + b, 0) / values.length

const factory = Stream.fromEffectSchedule(Effect.sync(telegram), Schedule.jittered(Schedule.spaced(10))).pipe(
  Stream.groupByKey(({ order }) => order, { bufferSize: 16, idleTimeToLive: "1 second" }),
  Stream.mapEffect(([, telegrams]) =>
    telegrams.pipe(
      Stream.runFold(() => [0], (torques: Array<number>, { torque }) => [...torques, torque]),
      Effect.map(mean)
    ), { concurrency: "unbounded" }),
  Stream.runDrain
)

Effect.runPromise(factory)
