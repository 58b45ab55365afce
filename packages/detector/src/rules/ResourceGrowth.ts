/** Timers, sockets, pipes and other handles that pile up, by type. */
import { descriptorType } from "../agent/Protocol.ts"
import type { Place } from "../agent/Protocol.ts"
import { confidenceOf, docsOf, fingerprint } from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import { judgement } from "../LeakRule.ts"
import type { LeakRule, Suspicion } from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { describeSite } from "../places/Site.ts"
import type { Point } from "../statistics/TimeSeries.ts"
import { ofUnknownLife, suspectPlace } from "./evidence/FiberSites.ts"
import { growingPlace } from "./evidence/MemorySites.ts"
import { judgeNumber } from "./evidence/Numbers.ts"
import type { NumberVerdict } from "./evidence/Numbers.ts"

const name = "ResourceGrowth"

// Work that is under way at the moment: their number says how busy the process is.
const transient =
  /^(Immediate|TickObject|FSReqCallback|FSReqPromise|GetAddrInfoReqWrap|.*Req(Wrap|uest)?|PROMISE|Microtask)$/

const advice: Readonly<Record<string, string>> = {
  [descriptorType]: "Close files in the scope of the work that opened them (Effect.acquireRelease, FileSystem.open).",
  Timeout:
    "Clear timers in the scope of the work that set them (Effect.acquireRelease, Effect.repeat with a Schedule in a scope).",
  TCPSocketWrap:
    "Close sockets in the scope of the work that opened them (Effect.acquireRelease), and give idle ones a timeout."
}

export const ResourceGrowth: LeakRule = {
  name,
  check: (observation) => {
    const findings: Array<Finding> = []
    const suspicions: Array<Suspicion> = []
    const judge = (type: string, points: ReadonlyArray<Point>): NumberVerdict["_tag"] => {
      const count = points.at(-1)?.value ?? 0
      const verdict = timersOfFibers(observation, type, count) ?? judgeNumber(observation, points)
      if (verdict._tag === "growing") findings.push(finding(observation, type, count, verdict))
      if (verdict._tag === "unclear") {
        suspicions.push({
          rule: name,
          what: whatIsOpen(type, count),
          why: verdict.why,
          wouldTake: "a run twice as long"
        })
      }
      return verdict._tag
    }
    let files = true
    for (const [type, points] of observation.resources) {
      if (transient.test(type) || type === descriptorType) continue
      // Sockets and pipes have descriptors, too.
      if (judge(type, points) !== "steady" && type !== "Timeout") files = false
    }
    if (files) judge(descriptorType, observation.resources.get(descriptorType) ?? [])
    return judgement(findings.sort((a, b) => b.count - a.count), suspicions)
  }
}

/** Timers live as long as the fibers that sleep on them; where most may be theirs, and how long those live is not known, neither is this. */
const timersOfFibers = (observation: Observation, type: string, count: number): NumberVerdict | undefined => {
  const fibers = type === "Timeout" ? ofUnknownLife(observation) : undefined
  if (fibers === undefined || fibers.count < count / 2) return undefined
  const { what, why } = fibers.doubt
  return { _tag: "unclear", why: `${what}, and ${why}`, perSecond: 0, z: 0, text: "" }
}

const whatIsOpen = (type: string, count: number): string =>
  type === descriptorType ? `${count} file descriptors are in use` : `${count} resources of type ${type} are open`

const finding = (observation: Observation, type: string, count: number, verdict: NumberVerdict): Finding => {
  const place = growingPlace(observation, (chain) => chain.some(isHandleFrame))
  // Every fiber that sleeps has a timer.
  const fibers = place === undefined ? suspectPlace(observation) : undefined
  const site = place?.site ?? fibers ?? { name: type }
  return {
    kind: "resource-growth",
    rule: name,
    severity: "error",
    confidence: confidenceOf(verdict.z),
    summary: `${whatIsOpen(type, count)}, ever more of them`
      + (place !== undefined
        ? `, and below ${describeSite(place.site)} ever more is allocated for such`
        : fibers === undefined
        ? ""
        : `, along with fibers that are forked in ${describeSite(fibers)}`),
    site,
    chain: place?.chain ?? [],
    waits: [],
    count,
    bytes: 0,
    growth: { perSecond: verdict.perSecond, unit: "resources" },
    survivors: [],
    evidence: [{
      label: "opened and closed",
      text: verdict.text
    }],
    cannotShow: place === undefined && fibers === undefined
      ? "Who opened them: node tells their type only."
      : "Whether these are the objects of just these resources: node tells their type only.",
    fix: advice[type] ?? "Close them in the scope of the work that opened them (Effect.acquireRelease).",
    docs: docsOf("resource-growth"),
    fingerprint: fingerprint("resource-growth", site),
    pid: observation.hello?.pid ?? 0
  }
}

/** What node does to make timers, sockets, pipes and processes. */
const isHandleFrame = ({ file }: Place): boolean =>
  file !== undefined &&
  /^node:(?:internal\/)?(?:timers|net|_?http|_?tls|dgram|stream|child_process|worker|fs)/.test(file)
