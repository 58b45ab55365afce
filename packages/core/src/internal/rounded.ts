/** How long something took, for a message: nobody reads the nanoseconds, and clocks do not know them. */
import * as Duration from "effect/Duration"

/** A number is of milliseconds. */
export const rounded = (time: Duration.Duration | number): string =>
  Duration.format(Duration.millis(Math.round(typeof time === "number" ? time : Duration.toMillis(time))))
