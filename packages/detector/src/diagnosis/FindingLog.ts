/** Findings over time: each is reported when it begins, when it has grown tenfold, and when it has ended. */
import { isLeak } from "../Finding.ts"
import type { Finding } from "../Finding.ts"

/**
 * `Began`: two judgements in a row agreed. `Grew`: ten times as many as in the last report. `Ended`: two judgements in a row did not
 * find it any more; it was fixed, or it was wrong, and is taken back.
 */
export interface FindingEvent {
  readonly _tag: "Began" | "Grew" | "Ended"
  readonly finding: Finding
}

interface Entry {
  finding: Finding
  /** Judgements in a row that found it (or, negative, did not). */
  streak: number
  /** The count, or the bytes if nothing is counted, in the last report. */
  reported: number | undefined
}

/** Groups findings by fingerprint. */
export class FindingLog {
  readonly #entries = new Map<string, Entry>()

  /** Findings that began and have not ended. */
  get open(): ReadonlyArray<Finding> {
    return [...this.#entries.values()].filter(({ reported }) => reported !== undefined).map(({ finding }) => finding)
  }

  /** Takes in a judgement, and returns the news. */
  take(findings: ReadonlyArray<Finding>): ReadonlyArray<FindingEvent> {
    const events: Array<FindingEvent> = []
    const now = new Map(findings.filter(isLeak).map((finding) => [finding.fingerprint, finding]))
    for (const [fingerprint, finding] of now) {
      let entry = this.#entries.get(fingerprint)
      if (entry === undefined) this.#entries.set(fingerprint, entry = { finding, streak: 0, reported: undefined })
      entry.finding = finding
      entry.streak = Math.max(0, entry.streak) + 1
      if (entry.streak < 2) continue
      if (entry.reported === undefined) events.push({ _tag: "Began", finding })
      else if (sizeOf(finding) >= 10 * entry.reported) events.push({ _tag: "Grew", finding })
      else continue
      entry.reported = Math.max(1, sizeOf(finding))
    }
    for (const [fingerprint, entry] of this.#entries) {
      if (now.has(fingerprint)) continue
      entry.streak = Math.min(0, entry.streak) - 1
      if (entry.reported !== undefined && entry.streak > -2) continue
      this.#entries.delete(fingerprint)
      if (entry.reported !== undefined) events.push({ _tag: "Ended", finding: entry.finding })
    }
    return events
  }
}

const sizeOf = ({ bytes, count }: Finding): number => Math.max(count, bytes)
