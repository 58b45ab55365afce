/**
 * Every number on which a verdict depends.
 *
 * **Details**
 *
 * Most decisions share a few levels: two of certainty (`sure`, `suspected`) and three of share (`most`, `many`, `few`). Each other number
 * has its own reason. A test moves each number down and up and sees a case fail on both sides, or the number is derived, and its comment
 * says from what.
 */
export const limits = {
  /** Standard deviations from which growth is reported: chance exceeds them once in 740 looks. */
  sure: 3,
  /** Standard deviations from which growth is reported although much departs: bursts of long work reach three. */
  certain: 4,
  /** Standard deviations from which a longer run is worth its time: chance exceeds them once in 44 looks. */
  suspected: 2,
  /** The share from which something is the rule. */
  most: 1 / 2,
  /** The share from which something is not an exception. */
  many: 1 / 4,
  /** The share up to which something is an exception. */
  few: 1 / 10,
  /** Old arrivals without which nothing is called growing: fewer are a bounded collection that is a little larger. */
  arrivals: 10,
  /** The part of a run that is start-up: floors, sums and rises are judged after it. */
  startUp: 1 / 3,
  /** The part of the late half in which what came last is looked for, and what came at the same time. */
  newest: 1 / 5,
  /** Times of the longest time between two emptyings after which no other is expected. */
  period: 2,
  /** Points without which a trend means nothing: of five in random order, one order in 120 rises all the way. */
  points: 5,
  /** Values without which it is not known whether neighbours depend on each other: the standard error of their unevenness is half of it. */
  neighbours: 12,
  /** Parts of a window of which the lowest readings count, at most: fewer know less of their own noise, and in shorter ones there is more. */
  parts: 30,
  /** Readings of a number of which the lowest counts: in one there may be work under way, and of 30 s five parts must remain. */
  readings: 2,
  /** Readings of samples in the late half without which the detection limit is unknown: of two, both may be in one quarter. */
  lateReadings: 3,
  /** Snapshots of the heap for a decision. Derived: two show that something grew, and only a third that it still does. */
  snapshots: 3,
  /** Fibers of one site that are worth a look. Derived: fibers are counted, not sampled, and at two their net exceeds √2 standard deviations. */
  fibers: 3,
  /**
   * Bytes of old growth at one site in the late half of 30 s below which nothing is called growing. V8 and Node retain up to 74 KB for
   * themselves while a program warms up: feedback, code, pools.
   */
  siteBytes: 128 * 1024,
  /** The same for the whole program. Measured: V8 discards code that did not run for a while, and compiles it again: up to 0.7 MB a minute. */
  programBytes: 1024 * 1024,
  /** Milliseconds: anything younger may be work in progress. Derived: a fiber is reported after 2 s, and 1 s is one interval. */
  youngest: 3000,
  /** The part of a run at which a thing is old: one sixth. In a run of 30 s that is 5 s, and 12 s are left to count late arrivals. */
  ageParts: 6,
  /** Ages at which objects are looked at again where many depart: long work has departed by then, and a leak has not. */
  older: 2,
  /**
   * Milliseconds: a fiber that waits for a timer of at most this length is slow work. It is the longest time that Node gives a request by
   * default, so derived, and a run in which such a timer fires twice takes ten minutes.
   */
  longestTimer: 300_000,
  /** Milliseconds before which nothing is called a leak: derived, the quarters of a shorter run are shorter than `youngest`. */
  leakAfter: 14_000,
  /** Milliseconds before which nothing is called ok: derived, the late half then holds ten seconds of old arrivals. */
  okAfter: 25_000
} as const
