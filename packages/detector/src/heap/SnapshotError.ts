/** A heap snapshot that cannot be read. */
import * as Data from "effect/Data"

/** The message says what is wrong with the snapshot. */
export class SnapshotError extends Data.TaggedError("SnapshotError")<{ readonly message: string }> {}
