/** The limits of the statistic, each with its reason. */
export const limits = {
  /** Standard deviations: one false alarm in 740 looks at a site whose old things just come and go. */
  z: 3,
  /** A rule, not an accident: at least half of what gets old stays. */
  share: 0.5,
  /** Fewer arrivals than this can be told by nobody from a bounded thing that is a little larger. */
  arrivals: 10,
  /** From here on a suspicion is worth another look; a share of the fewest arrivals. */
  suspiciousZ: 2.2,
  suspiciousShare: 0.6,
  /** Where many depart, at least this share must stay, by more standard deviations: bursts of long work reach three. */
  behind: 0.25,
  behindZ: 4,
  /** Where what goes had to wait ever longer, less will do: a queue near its limit wanders by a few hundredths of what comes. */
  line: 0.1,
  /** Six sojourn times, each longer than the one before: once in 720, and z is 2.63. */
  sojournZ: 2.6,
  /** They must get longer by what stays: half a group of departures more or less makes as much less, */
  sojournLeast: 0.5,
  /** and no more than this much more: of what was there from the start the age grows by all of the time. */
  sojournMost: 1.5,
  /** And as fast late as on the whole: a delay that is about to settle gets longer more slowly. */
  sojournGoesOn: 0.9,
  /** Growth that is this surely slower than before may be a container that fills: the price of a wrong "leak" is the higher one. */
  slowerZ: 2,
  /** So surely must the last fifth fall short: a lull is no end. */
  stopsZ: 2.5,
  /** This share of departures is more than the noise of a leak. */
  many: 0.2,
  /** What ever fell by more than half is emptied by somebody now and then. */
  fall: 0.5,
  /** Unless that was when there was but this share of what there is at the most: a queue that has just begun to grow. */
  small: 0.1,
  /** Nor in this first part of the time: a queue that has just begun to grow may be emptied in a moment. */
  beginning: 0.25,
  /** What lost this share at once was emptied by somebody, */
  emptied: 0.25,
  /** and is left alone for so many times as long as it took until then. */
  patience: 2,
  /** Of ten arrivals at any time, more than this share come within a fifth of the time once in 120 leaks; a burst has them all there. */
  atOnce: 2 / 3,
  /** Where this share of the departures is one event, their number is a sample of one. */
  lump: 0.8,
  lumpyShare: 0.15,
  /** The beginning of a window is start-up. */
  warmUp: 0.1
} as const
