/** Fibers that are collected without ending, again and again: their finalizers never run. */
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import { judgement } from "../LeakRule.ts"
import type { LeakRule, Suspicion } from "../LeakRule.ts"
import { lineOf, placeOfSite } from "../observation/placeOfSite.ts"
import { describeSite, siteOf } from "../places/Site.ts"
import * as Turnover from "../statistics/Turnover.ts"
import { lengthOf } from "../statistics/Window.ts"

const name = "AbandonedFibers"

export const AbandonedFibers: LeakRule = {
  name,
  check: (observation) => {
    const { window } = observation
    const findings: Array<Finding> = []
    const suspicions: Array<Suspicion> = []
    for (const site of observation.sites.values()) {
      const count = site.abandoned.born()
      if (count === 0) continue
      // Nothing departs from what is gone for ever, so age does not matter: each one is an arrival.
      const turnover = Turnover.judge(site.abandoned.all(), window, 0)
      const line = site.fork ?? site.runs ?? lineOf(site, ({ abandoned }) => abandoned.born())
      const place = siteOf(line ?? placeOfSite(site) ?? { name: "(no Effect.fn or span)" })
      if (turnover._tag === "growing") {
        findings.push({
          kind: "abandoned-fibers",
          rule: name,
          severity: "warning",
          confidence: confidenceOf(turnover.z),
          summary: `${count} fibers forked in ${describeSite(place)} were dropped: collected without ending`,
          site: place,
          chain: site.chain.map(siteOf),
          waits: site.waiting.map(({ place: at }) => siteOf(at)),
          count,
          bytes: 0,
          growth: { perSecond: turnover.perSecond, unit: "fibers" },
          survivors: [],
          evidence: [{
            label: "collected",
            text: `${turnover.late.arrivals} of them in the late half of the run; nothing could ever have resumed them`
          }],
          cannotShow: "What they waited for: nothing referred to it any more.",
          fix:
            "Whoever was to complete their wait forgot it: check that each Effect.callback resumes on every path, and that a "
            + "Deferred, Queue or Latch outlives its waiters. Fork in a scope, and the scope's end interrupts them.",
          docs: docsOf("abandoned-fibers"),
          fingerprint: fingerprint("abandoned-fibers", place),
          pid: observation.hello?.pid ?? 0
        })
      } else if (turnover._tag === "unclear") {
        suspicions.push({
          rule: name,
          what: `${count} fibers of ${describeSite(place)} were collected without ending`,
          why: turnover.why,
          wouldTake: `a run of ${Math.ceil(2 * lengthOf(window) / 1000)} s`
        })
      }
    }
    return judgement(findings.sort((a, b) => b.count - a.count), suspicions)
  }
}
