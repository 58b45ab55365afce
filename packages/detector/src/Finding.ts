/** A finding: something that leaks, with its place, its size, the evidence, and what to do about it. */
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { Site } from "./places/Site.ts"
import { keyText, longest } from "./text/Untrusted.ts"

export { Site } from "./places/Site.ts"

/**
 * The kind of a leak. A rule of one's own may add a kind.
 *
 * - `fiber-growth`: fibers of a fork site accumulate; they neither end nor are collected;
 * - `abandoned-fibers`: fibers are collected before they end, so their finalizers never run;
 * - `memory-growth`: objects that a function allocates are retained, and their number grows;
 * - `gauge-growth`, `metric-cardinality`: a gauge of the program rises, or a metric gains sets of attributes;
 * - `loop-starvation`: the event loop delays callbacks (severity `info`);
 * - `live-fibers`, `heap-growth`: a threshold was passed (severity `info`: a number, not a proof);
 * - `off-heap-growth`: memory outside of the JavaScript heap is retained, mostly buffers;
 * - `resource-growth`: timers, sockets or handles accumulate;
 * - `lease-overdue`, `listener-pile-up`, `stuck-end`: a module of core reports this about itself.
 *
 * @category models
 */
export type Kind = string

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
 * The container that keeps the objects of a finding, as two or three snapshots of the heap show it.
 *
 * **Details**
 *
 * - `keeper`: the variable or field that holds the container, and `scope` the function or module it belongs to;
 * - `path`: names of references and classes from the keeper to a member;
 * - `how`: whether the members become `more` or the same objects become `larger`;
 * - `counts`: the number of members in each snapshot; `bytes`: what they and all that they reach gained in `seconds`;
 * - `gone`: how many members of the first snapshot are no longer there in the second, where objects can be recognized;
 * - `bound`: the size of the container and the most that it takes, if it has a limit.
 *
 * @category models
 */
export const Kept = Schema.Struct({
  keeper: Schema.String,
  member: Schema.String,
  path: Schema.Array(Schema.String),
  scope: Schema.optionalKey(Site),
  how: Schema.Literals(["more", "larger"]),
  counts: Schema.Array(Schema.Finite),
  bytes: Schema.Finite,
  seconds: Schema.Finite,
  gone: Schema.optionalKey(Schema.Finite),
  bound: Schema.optionalKey(Schema.Struct({ size: Schema.Finite, most: Schema.Finite }))
})

/**
 * **Details**
 *
 * - `count`: how many are there now (fibers, abandoned fibers, resources; for memory an estimate of sampled objects);
 * - `bytes`: memory that they hold, estimated; 0 where unknown;
 * - `growth`: how many more each second, in `unit`;
 * - `kept`: what keeps the objects, where snapshots of the heap show it;
 * - `decided`: the row of the table in docs/rules.md that decided, and by how many standard deviations after dispersion; absent where
 *   the rule is not statistical;
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
  kind: Schema.String,
  rule: Schema.String,
  severity: Schema.Literals(["info", "warning", "error"]),
  decided: Schema.optionalKey(Schema.Struct({ row: Schema.String, z: Schema.Finite })),
  summary: Schema.String,
  site: Site,
  chain: Schema.Array(Site),
  waits: Schema.Array(Site),
  kept: Schema.optionalKey(Kept),
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
export const isLeak = (finding: Finding): boolean => finding.severity !== "info" && finding.accepted === undefined

/** The kinds of the rules of this package, each of which has a section of its own. */
const documented: ReadonlySet<Kind> = new Set([
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
 * The page that explains a kind.
 *
 * @category constructors
 */
export const docsOf = (kind: Kind): string => `docs/rules.md#${documented.has(kind) ? kind : "rules-of-your-own"}`

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
 * Makes a finding. The kind, the rule, the summary, the site and the advice are needed; everything else has a default.
 *
 * **Example**
 *
 * ```ts
 * import * as Finding from "@fiberscope/detector/Finding"
 *
 * const { fingerprint, severity } = Finding.make({
 *   kind: "open-files",
 *   rule: "OpenFiles",
 *   summary: "300 files are open",
 *   site: { name: "readReport" },
 *   fix: "Close each file in the scope that opened it."
 * })
 * console.log(severity, fingerprint) // error open-files:readReport
 * ```
 *
 * @category constructors
 */
export const make = (
  given: Pick<Finding, "kind" | "rule" | "summary" | "site" | "fix"> & Partial<Finding>
): Finding => ({
  severity: "error",
  chain: [],
  waits: [],
  count: 0,
  bytes: 0,
  growth: { perSecond: 0, unit: "units" },
  survivors: [],
  evidence: [],
  cannotShow: "",
  docs: docsOf(given.kind),
  fingerprint: fingerprint(given.kind, given.site),
  pid: 0,
  ...given
})

/**
 * Standard deviations, rounded for a report.
 *
 * @category constructors
 */
export const decidedBy = (
  { row, z }: { readonly row: string; readonly z: number }
): { readonly row: string; readonly z: number } => ({
  row,
  z: Math.round(10 * Math.min(z, mostDeviations)) / 10
})

/** Beyond this a number of standard deviations says nothing more, and may be infinite. */
const mostDeviations = 99
