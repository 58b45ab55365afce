/** Objects that are kept: three snapshots of the heap show a path on which they only become more. */
import type { HeapGrowth, HeapPath } from "../agent/Protocol.ts"
import * as Findings from "../Finding.ts"
import type { Finding, Site } from "../Finding.ts"
import * as LeakRule from "../LeakRule.ts"
import { describePath } from "../places/HeapPathText.ts"
import { describeSite } from "../places/Site.ts"
import { limits } from "../statistics/limits.ts"
import { number, size } from "../text/Units.ts"
import { decidingGrowth, gained, leaks, secondsOf } from "./evidence/HeapPaths.ts"
import { keptOf } from "./evidence/keptOf.ts"

const name = "KeptGrowth"

export const KeptGrowth = LeakRule.make({
  name,
  find: (observation) => {
    const growth = decidingGrowth(observation)
    // A container may have been emptied before the first snapshot, and may be emptied again after the last one.
    if (growth === undefined || gained(growth.times) < limits.most * observation.durationMs) return {}
    return { findings: growth.paths.filter((path) => leaks(path, growth)).map((path) => findingOf(path, growth)) }
  }
})

const findingOf = (path: HeapPath, growth: HeapGrowth): Finding => {
  const { keeper, member, scope } = describePath(path)
  const perSecond = gained(path.bytes) / secondsOf(growth)
  const site: Site = { ...scope, name: keeper }
  const where = scope === undefined ? keeper : describeSite(site)
  return Findings.make({
    kind: "memory-growth",
    rule: name,
    summary: path.how === "more"
      ? `${where} keeps more and more ${member}: it grows by ${size(perSecond)}/s`
      : `${where} keeps something that becomes larger: it grows by ${size(perSecond)}/s`,
    site,
    count: path.how === "more" ? path.counts.at(-1) ?? 0 : 0,
    bytes: gained(path.bytes),
    growth: { perSecond, unit: "bytes" },
    evidence: [{
      label: "snapshots",
      text: path.how === "more"
        ? `${path.counts.map(number).join(", then ")} objects, and hardly any of them was released`
        : `${path.bytes.map(size).join(", then ")}`
    }],
    kept: keptOf(path, growth),
    cannotShow: "whether the program releases them later than this run lasted",
    fix:
      `Look at what removes something from ${keeper} again. Bound it (Cache with capacity, Queue.bounded, a TTL), or release what is in it `
      + "with the scope of its work (Effect.acquireRelease)."
  })
}
