/** Formats a duration for a message, rounded to milliseconds: clocks are not more precise. */
import * as Duration from "effect/Duration"

/** A number is in milliseconds. */
export const rounded = (time: Duration.Duration | number): string =>
  Duration.format(Duration.millis(Math.round(typeof time === "number" ? time : Duration.toMillis(time))))
