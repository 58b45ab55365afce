/** The part of a recording that is judged, and what arrives and departs in it. */

import { limits } from "./limits.ts"

/** The part of a recording that is judged, in milliseconds. */
export interface Window {
  readonly start: number
  readonly end: number
}

/** Milliseconds from the start of a window to its end. */
export const lengthOf = ({ end, start }: Window): number => end - start

/** The late two thirds of a window, in which sums and floors are looked at: the first is start-up. */
export const lateOf = ({ end, start }: Window): Window => ({ start: start + (end - start) * limits.startUp, end })

/** Old things that arrived and departed in a part of the window. */
export interface Flow {
  readonly arrivals: number
  readonly departures: number
}

/** Arrivals without departures. */
export const net = ({ arrivals, departures }: Flow): number => arrivals - departures

/** Standard deviations between arrivals and departures, each with its dispersion: a difference of two Poisson counts. */
export const zOf = (flow: Flow, arrivals = 1, departures = 1): number =>
  net(flow) / Math.sqrt(Math.max(1, arrivals * flow.arrivals + departures * flow.departures))

/** Knowledge of a program beside the lifetimes. */
export interface Options {
  /** The program had no more to do at the end than before. Then growth with departures is growth as well. */
  readonly steadyTraffic?: boolean | undefined
  /** Arrivals below which nothing is called growing. Default 10. */
  readonly fewest?: number | undefined
  /** Arrivals that are worth a longer run when none departs. Default: half of the fewest. */
  readonly suspicious?: number | undefined
  /** The work between two moments, in any unit. Less work leaks less, which is not a slowing down. */
  readonly work?: ((from: number, to: number) => number) | undefined
  /** Milliseconds to which births are known, at best. Default: as they are given. */
  readonly resolution?: number | undefined
  /** Milliseconds: younger departures do not count for waiting times. Default: waiting times are not measured. */
  readonly youngest?: number | undefined
}
