/*
 * Readings of sensors are put together and sent on by a stream.
 *
 * What leak.mjs does wrong is put right here: the buffer holds 32 readings, and what is too much is dropped.
 */
import { Effect, Schedule, Stream } from "effect"
import "../../support/life.ts"

class Sensor {
  #last = 20

  constructor(name) {
    this.name = name
  }

  read() {
    this.#last += Math.random() - 0.5
    return {
      sensor: this.name,
      celsius: this.#last,
      raw: Array.from({ length: 150 }, () => this.#last + Math.random())
    }
  }
}

const sensors = ["roof", "cellar", "door", "garden"].map((name) => new Sensor(name))

const readings = Stream.fromSchedule(Schedule.spaced("9 millis")).pipe(
  Stream.map((n) => sensors[n % sensors.length].read())
)

const send = (reading) => Effect.asVoid(Effect.delay(Effect.succeed(reading.celsius), "16 millis"))

const pipeline = readings.pipe(
  Stream.buffer({ capacity: 32, strategy: "sliding" }),
  Stream.runForEach(send)
)

Effect.runFork(pipeline)
