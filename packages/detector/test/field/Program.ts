/** A program as the suite knows it: its packages, how it is started and driven, and what is true of it. */
import type { Verdict } from "../../src/diagnosis/Diagnosis.ts"

/** The signal that ends a program, or `itself` for one that ends when its work is done. */
export type End = "SIGINT" | "SIGTERM" | "itself"

/** One request of the traffic and the answer to it, in one line each. */
export interface Answer {
  readonly request: string
  readonly answer: string
}

/** A change of one file of a published package: the text before, which has to be there, and the text after. */
export type Edit = readonly [before: string, after: string]

/** The folder a program is installed into, and what can be done there. */
export interface Folder {
  readonly path: string
  /** Copies a folder or file of an installed package; the destination is relative to the folder. */
  readonly copy: (from: string, to: string, edits?: Readonly<Record<string, ReadonlyArray<Edit>>>) => void
  readonly write: (name: string, text: string, mode?: number) => void
  /** Copies one of the programs of `starts/`. */
  readonly start: (name: string) => void
  readonly run: (command: string, ...args: ReadonlyArray<string>) => void
}

/** A program that runs, as the traffic sees it. */
export interface Running {
  readonly port: number
  readonly folder: string
  /** How long the traffic lasts. */
  readonly seconds: number
  readonly record: (request: string, answer: string) => void
  readonly write: (text: string) => void
  readonly endInput: () => void
  readonly output: () => string
  /** Waits until this is true of the output; false when the program ended or the time is over. */
  readonly until: (is: (output: string) => boolean, ms: number) => Promise<boolean>
  /** Does a bounded number of things, so many each second, one after the other; stops early when the program is gone. */
  readonly pace: (count: number, perSecond: number, work: (i: number) => Promise<void>) => Promise<void>
}

/** A server on loopback that the program talks to; it is there before the program starts. */
export interface Peer {
  readonly env: Readonly<Record<string, string>>
  readonly close: () => Promise<void>
  /** The requests that the program sent to it. */
  readonly answers: () => ReadonlyArray<Answer>
  /** The traffic that the peer makes by itself. */
  readonly drive?: (running: Running) => Promise<void>
}

/** The truth about a program under this traffic, and how it is known without Fiberscope. */
export interface Truth {
  /** The verdicts that are true; the first is the best one. */
  readonly verdicts: readonly [Verdict, ...Array<Verdict>]
  readonly why: string
  /** For a leak: what a finding has to name. */
  readonly named?: RegExp
  /** For a leak: its bytes a second under this traffic. An `ok` that says it cannot show so little is not untrue. */
  readonly bytesPerSecond?: number
  /** For the witness: a class of objects that grows by at least so many between its two snapshots. */
  readonly grows?: readonly [name: string, atLeast: number]
  /** For the witness: a class of objects that grows by no more than so many between its two snapshots. */
  readonly steady?: readonly [name: string, atMost: number]
}

export interface Program {
  readonly name: string
  /** Packages of npm with their exact versions. */
  readonly packages: ReadonlyArray<string>
  readonly overrides?: Readonly<Record<string, string>>
  readonly effect: string
  /** Where the report cannot know the version, as in a bundle: what it says in its place. */
  readonly effectInReport?: RegExp
  readonly style: string
  readonly driven: string
  readonly prepare?: (folder: Folder) => void
  readonly start: (folder: string) => readonly [string, ...Array<string>]
  readonly cwd?: string
  readonly env?: (folder: string) => Readonly<Record<string, string>>
  readonly peer?: (folder: string) => Promise<Peer>
  readonly traffic?: (running: Running) => Promise<void>
  /** What its output shows, or `port`, when it is ready for traffic. */
  readonly ready?: RegExp | "port"
  readonly end: End
  /** The exit code without the tool, where a run with another one proves nothing; 0 for a program that ends by itself. */
  readonly code?: number
  readonly truth: Truth
  /** A true reason for which the report may have no fibers of it. */
  readonly unseen?: RegExp
  /** Lines of its output whose number depends on time, and may differ by one or by a tenth. */
  readonly timed?: RegExp
  /** Lines of its output that tell how long something took, in words of their own. */
  readonly ignored?: RegExp
}
