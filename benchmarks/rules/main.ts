/**
 * `pnpm run bench:rules`: simulates how often each rule reports a leak in programs without one, and in programs with one.
 *
 * Every scenario is a population with births and deaths, or a gauge, generated from a seed for each run. The thresholds of `limits` and
 * of the rules come from here. First the statistic behind most rules runs alone and many times; then each complete rule runs on the
 * messages that an agent would send. The output has percentages with 95 % Wilson intervals: the runs with a finding (`growing`), and
 * the undecided runs that need a longer observation (`unclear`).
 *
 * Options: `--runs 2000` (of the statistic), `--rule-runs 300` (of each rule), `--seed 1`, `--seconds 30,120`, `--scale 1,20` (how finely
 * the statistic is sampled: a factor for the number of objects), `--only` a part of a rule's name.
 */
import { parseArgs } from "node:util"
import type { LeakRule } from "../../packages/detector/src/LeakRule.ts"
import type { Observation } from "../../packages/detector/src/observation/Observation.ts"
import { AbandonedFibers } from "../../packages/detector/src/rules/AbandonedFibers.ts"
import { FiberGrowth } from "../../packages/detector/src/rules/FiberGrowth.ts"
import { GaugeGrowth, MetricCardinality } from "../../packages/detector/src/rules/GaugeGrowth.ts"
import { HeapFloorTrend } from "../../packages/detector/src/rules/HeapFloorTrend.ts"
import { LargeObjectGrowth } from "../../packages/detector/src/rules/LargeObjectGrowth.ts"
import { OffHeapGrowth } from "../../packages/detector/src/rules/OffHeapGrowth.ts"
import { ResourceGrowth } from "../../packages/detector/src/rules/ResourceGrowth.ts"
import { SurvivorGrowth } from "../../packages/detector/src/rules/SurvivorGrowth.ts"
import * as Lifetimes from "../../packages/detector/src/statistics/Lifetimes.ts"
import * as Turnover from "../../packages/detector/src/statistics/Turnover.ts"
import { populations, run } from "../../packages/detector/test/support/populations.ts"
import { random } from "../../packages/detector/test/support/random.ts"
import type { Random } from "../../packages/detector/test/support/random.ts"
import { floors } from "./floors.ts"
import { gauges } from "./gauges.ts"
import {
  asAbandoned,
  asBuffers,
  asFibers,
  asFloor,
  asLargeObjects,
  asMemory,
  asMetric,
  asSockets
} from "./observations.ts"

const { values } = parseArgs({
  options: {
    "runs": { type: "string", default: "2000" },
    "rule-runs": { type: "string", default: "300" },
    "seed": { type: "string", default: "1" },
    "seconds": { type: "string", default: "30,120" },
    "scale": { type: "string", default: "1,20" },
    "only": { type: "string", default: "" }
  }
})

const numbers = (list: string): ReadonlyArray<number> => list.split(",").map(Number)

/** Wilson's interval (1927) for a share. */
const wilson = (hits: number, n: number): string => {
  const z = 1.96
  const p = hits / n
  const middle = (p + z * z / (2 * n)) / (1 + z * z / n)
  const half = z * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
  const percent = (x: number) => (100 * x).toFixed(1)
  return `${percent(p).padStart(5)} % [${percent(Math.max(0, middle - half))}, ${percent(Math.min(1, middle + half))}]`
}

type Answer = "growing" | "unclear" | "steady"

/** Prints a line for each scenario. All begin with the same seed, so that an added scenario does not change the others. */
const table = (
  title: string,
  runs: number,
  rows: ReadonlyArray<{ readonly name: string; readonly ask: (random: Random) => Answer }>
): void => {
  if (!title.includes(values.only)) return
  console.log(`\n${title}, ${runs} runs each`)
  console.log(`  ${"".padEnd(42)} ${"growing".padEnd(24)} unclear`)
  for (const { ask, name } of rows) {
    const chance = random(Number(values.seed))
    const answers = Array.from({ length: runs }, () => ask(chance))
    const share = (answer: Answer) => wilson(answers.filter((one) => one === answer).length, runs)
    console.log(`  ${name.padEnd(42)} ${share("growing").padEnd(24)} ${share("unclear")}`)
  }
}

const statistic = (seconds: number, scale: number): void => {
  const age = Math.max(3000, seconds * 1000 / 6)
  table(
    `Turnover, the statistic alone, ${seconds} s, sampled ${scale} times as finely`,
    Number(values.runs),
    populations.map((population) => ({
      name: population.name,
      ask: (chance) => {
        const lives = Lifetimes.make()
        for (const { born, died } of run(population, chance, seconds, scale).members) {
          lives.recordBirth(born * 1000, 1)
          if (died < seconds) lives.recordDeath(born * 1000, died * 1000, 1)
        }
        const window = { start: 0, end: seconds * 1000 }
        return Turnover.judge(lives.all(), window, age, { steadyTraffic: true, youngest: 3000 })._tag
      }
    }))
  )
}

const answerOf = (rule: LeakRule, observation: Observation): Answer => {
  const { _tag } = rule.check(observation)
  return _tag === "Warn" ? "growing" : _tag === "Recheck" ? "unclear" : "steady"
}

/** Runs a complete rule on one kind of scenario. */
const whole = <A extends { readonly name: string }>(
  rule: LeakRule,
  of: string,
  scenarios: ReadonlyArray<A>,
  observation: (scenario: A, random: Random) => Observation
): void =>
  table(
    `${rule.name}, ${of}`,
    Number(values["rule-runs"]),
    scenarios.map((scenario) => ({
      name: scenario.name,
      ask: (chance) => answerOf(rule, observation(scenario, chance))
    }))
  )

for (const seconds of numbers(values.seconds)) {
  for (const scale of numbers(values.scale)) statistic(seconds, scale)
  whole(
    FiberGrowth,
    `fibers of one site, ${seconds} s`,
    populations,
    (population, chance) => asFibers(run(population, chance, seconds))
  )
  whole(
    SurvivorGrowth,
    `objects of one function, ${seconds} s`,
    populations,
    (population, chance) => asMemory(run(population, chance, seconds), chance)
  )
  whole(
    OffHeapGrowth,
    `buffers, ${seconds} s`,
    populations,
    (population, chance) => asBuffers(run(population, chance, seconds), chance)
  )
  whole(
    LargeObjectGrowth,
    `large objects of one function, ${seconds} s`,
    populations,
    (population, chance) => asLargeObjects(run(population, chance, seconds), chance)
  )
  whole(ResourceGrowth, `open sockets, ${seconds} s`, gauges, ({ make }, chance) => asSockets(make(chance, seconds)))
}

// A fiber that is collected without having ended is lost. It is not a leak if that happens a few times, or to many fibers once.
whole(
  AbandonedFibers,
  "fibers collected without an end, 30 s",
  [
    { name: "a few, at any time", of: () => Array.from({ length: 6 }, (_, i) => ({ born: 4 * i, died: 4 * i + 2 })) },
    {
      name: "many at once, as a part of it is closed",
      of: (chance: Random) => {
        const at = chance.between(5, 25)
        return Array.from({ length: 100 }, () => ({ born: at - 2, died: at + chance.next() }))
      }
    },
    {
      name: "while it starts",
      of: (chance: Random) => Array.from({ length: 50 }, () => ({ born: 0, died: chance.between(1, 8) }))
    },
    {
      name: "LEAK, 2 a second",
      of: (chance: Random) =>
        Array.from({ length: 60 }, () => chance.between(0, 30)).map((born) => ({ born, died: born + 2 }))
    }
  ],
  ({ of }, chance) => asAbandoned(of(chance), 30)
)
whole(GaugeGrowth(), "a gauge, ten minutes", gauges, ({ make }, chance) => asMetric(make(chance, 60)))
whole(MetricCardinality, "series of a metric, ten minutes", gauges, ({ make }, chance) => asMetric(make(chance, 60)))
whole(HeapFloorTrend, "30 readings", floors, ({ make }, chance) => asFloor(make(chance, 30)))
