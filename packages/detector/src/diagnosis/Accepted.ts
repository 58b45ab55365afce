/** Findings that somebody has looked at and accepted for a while: a reason and a last day each. After that day they count again. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Finding } from "../Finding.ts"
import { oneLine } from "../text/Untrusted.ts"

/** The content of `fiberscope.accepted.json`. `until` is the last day on which it holds, as `YYYY-MM-DD` in UTC. */
export const Accepted = Schema.Array(Schema.Struct({
  fingerprint: Schema.NonEmptyString,
  reason: Schema.NonEmptyString,
  until: Schema.String.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}$/, { message: "a day: YYYY-MM-DD" }))
}))

export type Accepted = typeof Accepted.Type

/** The file is not a list of accepted findings. */
export class AcceptedError extends Data.TaggedError("AcceptedError")<{ readonly message: string }> {}

/** Reads the text of a file of accepted findings. */
export const parse = (text: string, file: string): Effect.Effect<Accepted, AcceptedError> =>
  Schema.decodeUnknownEffect(Schema.fromJsonString(Accepted))(text).pipe(
    Effect.mapError((error) =>
      new AcceptedError({
        message: `${file}: expected a list of { "fingerprint", "reason", "until": "YYYY-MM-DD" }: ${error.message}`
      })
    )
  )

/**
 * Marks the findings that are accepted on a day (milliseconds since the epoch).
 *
 * **Example**
 *
 * ```ts
 * import * as Accepted from "./Accepted.ts"
 *
 * const accepted = [{ fingerprint: "fiber-growth:poll@src/jobs.ts", reason: "gone with v3", until: "2027-01-31" }]
 * console.log(Accepted.mark(accepted, Date.parse("2027-01-01"))([])) // []
 * ```
 */
export const mark = (accepted: Accepted, now: number) => (findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> =>
  findings.map((finding) => {
    // A rule may make a fingerprint of its own: people copy it as it was printed.
    const copied = oneLine(finding.fingerprint)
    const entry = accepted.find(({ fingerprint }) => fingerprint === finding.fingerprint || fingerprint === copied)
    return entry !== undefined && holds(entry, now)
      ? { ...finding, accepted: { reason: entry.reason, until: entry.until } }
      : finding
  })

/** Whether an acceptance still holds. */
const holds = ({ until }: Accepted[number], now: number): boolean => now < Date.parse(`${until}T00:00:00Z`) + dayMs

const dayMs = 86_400_000
