/**
 * The programs of the corpus, and the truth about each. A new part is written without a look at the rules and run once, untouched: that
 * result stands in docs/truth.md. From then on its recordings show that a change of the rules loses nothing.
 */
import { adversarial } from "./adversarial/manifest.ts"
import { fifth } from "./fifth/manifest.ts"
import { first } from "./first/manifest.ts"
import { fourth } from "./fourth/manifest.ts"
import { second } from "./second/manifest.ts"
import { sixth } from "./sixth/manifest.ts"
import { third } from "./third/manifest.ts"

/** Where the blame belongs. */
export interface Guilty {
  /** Functions, spans and `Effect.fn` names, any of which counts as the right site. */
  readonly names: ReadonlyArray<string>
  /** The file they are in, relative to this folder. */
  readonly file: string
  /** First and last lines of the guilty functions, for sites that are given as `file:line:column`. */
  readonly lines: ReadonlyArray<readonly [first: number, last: number]>
}

/**
 * What is left behind in each second of a run. Bytes and fibers are measured by the oracle in a run of 20 or 30 s, to
 * within some 20 KB that code and feedback of V8 take while it gets warm.
 */
export interface Rate {
  /** Fibers that stay alive or are abandoned; else the entries, listeners or timers that stay, by the rate of requests. */
  readonly individualsPerSecond: number
  readonly bytesPerSecond: number
}

/** What grows: fibers that stay alive, fibers that are collected before they end, memory on the heap or off it. */
export type Kind = "live fibers" | "abandoned fibers" | "memory" | "off-heap memory" | "none"

export interface Program {
  /** The folder and the variant, such as `price-quotes/leak`. */
  readonly name: string
  /** The program, relative to this folder. */
  readonly file: string
  readonly half: "first" | "second" | "third" | "fourth" | "fifth" | "sixth" | "adversarial"
  readonly expected: "leak" | "ok"
  readonly kind: Kind
  /** The mistake, in a few words. */
  readonly shape: string
  /** A leak too slow for a run of 30 s: there, "undecided" is the right answer. */
  readonly slow: boolean
  /** The program names its functions with `Effect.fn` or spans. */
  readonly named: boolean
  readonly guilty?: Guilty
  readonly rate?: Rate
  readonly note: string
}

export const programs: ReadonlyArray<Program> = [
  ...first,
  ...second,
  ...third,
  ...fourth,
  ...fifth,
  ...sixth,
  ...adversarial
]
