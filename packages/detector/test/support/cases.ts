/**
 * Cases that defend the statistic: a program of the corpus as it was recorded, with its verdict, a simulated population, with how often
 * it is called growing or unclear, or another simulation. A row of the table, or a limit, that no case defends has no place in it.
 */
import { diagnose } from "../../src/diagnosis/Diagnosis.ts"
import type { Verdict } from "../../src/diagnosis/Diagnosis.ts"
import type { Observation } from "../../src/observation/Observation.ts"
import type { Classification } from "../../src/statistics/checks.ts"
import type { Lifetime } from "../../src/statistics/Lifetimes.ts"
import * as Lifetimes from "../../src/statistics/Lifetimes.ts"
import * as Turnover from "../../src/statistics/Turnover.ts"
import { recorded } from "../truth/recordings.ts"
import { populations, run } from "./populations.ts"
import { random } from "./random.ts"

export type Case =
  | { readonly recording: string; readonly verdict: Verdict }
  | {
    readonly population: string
    readonly seconds: number
    readonly says: Classification["_tag"]
    /** Percent of runs. */
    readonly atLeast?: number
    readonly atMost?: number
  }
  | { readonly simulated: string; readonly holds: () => boolean }

const runs = 100

/** Loads what the cases need, and answers whether one holds with the limits and rows of the moment. */
export const caseBook = (cases: ReadonlyArray<Case>): (one: Case) => boolean => {
  const names = new Set(cases.flatMap((one) => "recording" in one ? [one.recording] : []))
  const recordings = new Map<string, ReadonlyArray<Observation>>()
  for (const { name, observations } of recorded((name) => !names.has(name))) recordings.set(name, observations)
  const drawn = new Map<string, ReadonlyArray<ReadonlyArray<Lifetime>>>()
  const livesOf = (name: string, seconds: number) => {
    const key = `${name} ${seconds}`
    let lives = drawn.get(key)
    if (lives === undefined) drawn.set(key, lives = draw(name, seconds))
    return lives
  }
  return (one) => {
    if ("simulated" in one) return one.holds()
    if ("recording" in one) {
      const verdicts = recordings.get(one.recording)?.map((observation) => diagnose(observation).verdict)
      if (verdicts === undefined) throw new Error(`no recording of ${one.recording}`)
      return (["leak", "undecided", "ok"] as const).find((verdict) => verdicts.includes(verdict)) === one.verdict
    }
    const { atLeast = 0, atMost = 100, population, says, seconds } = one
    const options = { steadyTraffic: true, youngest: 3000 }
    const window = { start: 0, end: seconds * 1000 }
    const said = livesOf(population, seconds)
      .filter((lives) => Turnover.judge(lives, window, Math.max(3000, seconds * 1000 / 6), options)._tag === says)
    const percent = 100 * said.length / runs
    return percent >= atLeast && percent <= atMost
  }
}

const draw = (name: string, seconds: number): ReadonlyArray<ReadonlyArray<Lifetime>> => {
  const population = populations.find((one) => one.name === name)
  if (population === undefined) throw new Error(`no population ${name}`)
  const chance = random(1)
  return Array.from({ length: runs }, () => {
    const lives = Lifetimes.make()
    for (const { born, died } of run(population, chance, seconds, 1).members) {
      lives.recordBirth(born * 1000, 1)
      if (died < seconds) lives.recordDeath(born * 1000, died * 1000, 1)
    }
    return [...lives.all()]
  })
}
