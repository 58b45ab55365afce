/** A finding: something that leaks, with where, how much, how sure, why we say so, and what to do about it. */
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { Site } from "./places/Site.ts"
import { keyText, longest } from "./text/Untrusted.ts"

export { Site } from "./places/Site.ts"

/**
 * What leaks:
 *
 * - `fiber-growth`: fibers of a fork site pile up; they neither end nor are they collected;
 * - `abandoned-fibers`: fibers are collected without having ended, so their finalizers never run;
 * - `memory-growth`: objects that a function allocates stay alive, ever more of them;
 * - `gauge-growth`, `metric-cardinality`: a gauge of the program rises, or a metric has ever more sets of attributes;
 * - `loop-starvation`: the event loop keeps callbacks waiting (severity `info`);
 * - `live-fibers`, `heap-growth`: a threshold was passed (severity `info`: a number, not a proof);
 * - `off-heap-growth`: memory outside of the JavaScript heap stays, buffers mostly;
 * - `resource-growth`: timers, sockets or handles pile up;
 * - `lease-overdue`, `listener-pile-up`, `stuck-end`: a module of core says so of itself.
 *
 * @category models
 */
export const Kind = Schema.Literals([
  "fiber-growth",
  "abandoned-fibers",
  "memory-growth",
  "off-heap-growth",
  "resource-growth",
  "gauge-growth",
  "metric-cardinality",
  "lease-overdue",
  "listener-pile-up",
  "stuck-end",
  "live-fibers",
  "heap-growth",
  "loop-starvation"
])

/**
 * The kind of a leak.
 *
 * @category models
 */
export type Kind = typeof Kind.Type

/**
 * One line of reasoning: `label` is a few words, `text` a sentence.
 *
 * @category models
 */
export const Evidence = Schema.Struct({ label: Schema.String, text: Schema.String })

/**
 * One line of reasoning.
 *
 * @category models
 */
export type Evidence = typeof Evidence.Type

/**
 * **Details**
 *
 * - `count`: how many are there now (fibers, abandoned fibers, resources; for memory an estimate of sampled objects);
 * - `bytes`: memory that they hold, estimated; 0 where unknown;
 * - `growth`: how many more each second, in `unit`;
 * - `confidence`: 1 minus the chance that a bounded program shows this, as far as the statistic goes; 0.999 at most;
 * - `severity`: `error` takes the process down in the end, `warning` costs, `info` is worth knowing;
 * - `survivors`: of those that are there now, how many were born in each twentieth of the window, oldest first: flat for a leak, one
 *   hump for a cache; empty where births are not known;
 * - `docs`: the page that explains the kind, relative to the package's repository;
 * - `accepted`: somebody looked at it and accepts it until a day; then it makes no verdict;
 * - `fingerprint`: stable across runs and machines: kind and site without line numbers.
 *
 * @category models
 */
export const Finding = Schema.Struct({
  kind: Kind,
  rule: Schema.String,
  severity: Schema.Literals(["info", "warning", "error"]),
  confidence: Schema.Finite,
  summary: Schema.String,
  site: Site,
  chain: Schema.Array(Site),
  waits: Schema.Array(Site),
  count: Schema.Finite,
  bytes: Schema.Finite,
  growth: Schema.Struct({ perSecond: Schema.Finite, unit: Schema.String }),
  survivors: Schema.Array(Schema.Finite),
  evidence: Schema.Array(Evidence),
  cannotShow: Schema.String,
  fix: Schema.String,
  docs: Schema.String,
  fingerprint: Schema.String,
  accepted: Schema.optionalKey(Schema.Struct({ reason: Schema.String, until: Schema.String })),
  pid: Schema.Int
})

/**
 * Something that leaks.
 *
 * @category models
 */
export type Finding = typeof Finding.Type

/**
 * Whether a finding makes the verdict `leak`.
 *
 * @category predicates
 */
export const convicts = (finding: Finding): boolean => finding.severity !== "info" && finding.accepted === undefined

/**
 * The page that explains a kind.
 *
 * @category constructors
 */
export const docsOf = (kind: Kind): string => `docs/rules.md#${kind}`

/**
 * The fingerprint of a kind at a site: no line, no column, no folder of one machine.
 *
 * **Details**
 *
 * It can be copied from a report into `fiberscope.accepted.json` as it is. Control characters, quotes, backslashes and percent signs are
 * written as in a URL. A long name is cut, and a part of the hash of the whole stands for the rest.
 *
 * @category constructors
 */
export const fingerprint = (kind: Kind, site: Site): string => {
  const file = site.file === undefined ? "" : site.file.split(/[\\/]/).slice(-2).join("/")
  const whole = `${kind}:${site.name}${file === "" ? "" : `@${file}`}`
  const key = keyText(whole)
  if (key.length <= longest.key) return key
  const hash = createHash("sha256").update(whole).digest("hex").slice(0, 10)
  // Neither half of a character nor half of what stands for one is left at a cut, nor the beginning of a command.
  const end = `~${hash}${file === "" ? "" : `@${keyText(file).slice(-mostOfFile).replace(/^[\udc00-\udfff:#]+/, "")}`}`
  return keyText(`${kind}:${site.name}`).slice(0, longest.key - end.length).replace(/[\ud800-\udbff]$|%.?$/, "") + end
}

const mostOfFile = 40

/**
 * The chance that a standard normal variable stays below `z`, capped at 0.999: nothing here is surer than that.
 *
 * @category constructors
 */
export const confidenceOf = (z: number): number => {
  // Zelen & Severo's approximation (Abramowitz & Stegun 26.2.17), error below 1e-7.
  const x = Math.abs(z)
  const t = 1 / (1 + 0.2316419 * x)
  const tail = 0.3989422804 * Math.exp(-x * x / 2) * t
    * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return Math.min(0.999, Math.round((z >= 0 ? 1 - tail : tail) * 1000) / 1000)
}
