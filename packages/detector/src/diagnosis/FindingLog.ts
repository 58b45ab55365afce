/** Findings over time: one is told when it begins, when it has grown tenfold, and when it has ended. */
import { isLeak } from "../Finding.ts"
import type { Finding } from "../Finding.ts"

/**
 * `Began`: two judgements in a row agreed. `Grew`: ten times as many as when it was last told. `Ended`: two judgements in a row did
 * not find it any more; it was fixed, or it was wrong, and is taken back.
 */
export interface FindingEvent {
  readonly _tag: "Began" | "Grew" | "Ended"
  readonly finding: Finding
}

interface Entry {
  finding: Finding
  /** Judgements in a row that found it (or, negative, did not). */
  streak: number
  /** The count, or the bytes where nothing is counted, when it was last told. */
  told: number | undefined
}

/** Groups findings by fingerprint. */
export class FindingLog {
  readonly #entries = new Map<string, Entry>()

  /** Findings that began and have not ended. */
  get open(): ReadonlyArray<Finding> {
    return [...this.#entries.values()].filter(({ told }) => told !== undefined).map(({ finding }) => finding)
  }

  /** Takes in a judgement, and answers what there is to tell. */
  take(findings: ReadonlyArray<Finding>): ReadonlyArray<FindingEvent> {
    const events: Array<FindingEvent> = []
    const now = new Map(findings.filter(isLeak).map((finding) => [finding.fingerprint, finding]))
    for (const [fingerprint, finding] of now) {
      let entry = this.#entries.get(fingerprint)
      if (entry === undefined) this.#entries.set(fingerprint, entry = { finding, streak: 0, told: undefined })
      entry.finding = finding
      entry.streak = Math.max(0, entry.streak) + 1
      if (entry.streak < 2) continue
      if (entry.told === undefined) events.push({ _tag: "Began", finding })
      else if (sizeOf(finding) >= 10 * entry.told) events.push({ _tag: "Grew", finding })
      else continue
      entry.told = Math.max(1, sizeOf(finding))
    }
    for (const [fingerprint, entry] of this.#entries) {
      if (now.has(fingerprint)) continue
      entry.streak = Math.min(0, entry.streak) - 1
      if (entry.told !== undefined && entry.streak > -2) continue
      this.#entries.delete(fingerprint)
      if (entry.told !== undefined) events.push({ _tag: "Ended", finding: entry.finding })
    }
    return events
  }
}

const sizeOf = ({ bytes, count }: Finding): number => Math.max(count, bytes)
