/** Fibers that are collected before they end, again and again: their finalizers never run. */
import * as Findings from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import * as LeakRule from "../LeakRule.ts"
import { lineOf, placeOfSite } from "../observation/placeOfSite.ts"
import { describeSite, siteOf } from "../places/Site.ts"
import * as Turnover from "../statistics/Turnover.ts"
import { lengthOf } from "../statistics/Window.ts"
import { nobody } from "./evidence/FiberSites.ts"

const name = "AbandonedFibers"

export const AbandonedFibers = LeakRule.make({
  name,
  find: (observation) => {
    const { window } = observation
    const findings: Array<Finding> = []
    const suspicions: Array<LeakRule.Suspicion> = []
    for (const site of observation.sites.values()) {
      const count = site.abandoned.born()
      if (count === 0) continue
      // An abandoned fiber never departs, so its age does not matter: each is an arrival.
      const turnover = Turnover.judge(site.abandoned.all(), window, 0)
      const line = site.fork ?? site.runs ?? lineOf(site, ({ abandoned }) => abandoned.born())
      const place = siteOf(line ?? placeOfSite(site) ?? nobody)
      if (turnover._tag === "growing") {
        findings.push(Findings.make({
          kind: "abandoned-fibers",
          rule: name,
          severity: "warning",
          decided: Findings.decidedBy(turnover),
          summary: `${count} fibers forked in ${
            describeSite(place)
          } could never finish: they were collected while they waited`,
          site: place,
          chain: site.chain.map(siteOf),
          waits: site.waiting.map(({ place: at }) => siteOf(at)),
          count,
          growth: { perSecond: turnover.perSecond, unit: "fibers" },
          evidence: [{
            label: "collected",
            text:
              `the garbage collector removed ${turnover.late.arrivals} of them in the late half of the run; their finalizers never ran`
          }],
          cannotShow: "the object that they waited for: nothing refers to it any more.",
          fix: "Something forgot to complete their wait. Check that each Effect.callback resumes on every path. Keep a "
            + "Deferred, Queue or Latch reachable until its waiters have ended. Fork in a scope: its end interrupts them."
        }))
      } else if (turnover._tag === "unclear") {
        suspicions.push({
          rule: name,
          what: `${count} fibers of ${describeSite(place)} were collected while they waited`,
          why: turnover.why,
          wouldTake: LeakRule.runOf(2 * lengthOf(window))
        })
      }
    }
    return { findings, suspicions }
  }
})
