/** How long something took, for a message: nobody reads the nanoseconds, and clocks do not know them. */
import * as Duration from "effect/Duration"

export const rounded = (duration: Duration.Duration): string =>
  Duration.format(Duration.millis(Math.round(Duration.toMillis(duration))))
