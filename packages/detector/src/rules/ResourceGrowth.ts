/** Timers, sockets, pipes and other handles that accumulate, by type. */
import { descriptorType } from "../agent/Protocol.ts"
import type { Place } from "../agent/Protocol.ts"
import * as Findings from "../Finding.ts"
import type { Finding } from "../Finding.ts"
import * as LeakRule from "../LeakRule.ts"
import type { Observation } from "../observation/Observation.ts"
import { describeSite } from "../places/Site.ts"
import { limits } from "../statistics/limits.ts"
import type { Point } from "../statistics/TimeSeries.ts"
import { ofUnknownLife, suspectPlace } from "./evidence/FiberSites.ts"
import { growingPlace } from "./evidence/MemorySites.ts"
import { judgeNumber } from "./evidence/Numbers.ts"
import type { NumberVerdict } from "./evidence/Numbers.ts"

const name = "ResourceGrowth"

/** Work that is under way at the moment: its number shows how busy the process is. */
const transient =
  /^(Immediate|TickObject|FSReqCallback|FSReqPromise|GetAddrInfoReqWrap|.*Req(Wrap|uest)?|PROMISE|Microtask)$/

const advice: Readonly<Record<string, string>> = {
  [descriptorType]: "Close files in the scope of the work that opened them (Effect.acquireRelease, FileSystem.open).",
  Timeout:
    "Clear timers in the scope of the work that set them (Effect.acquireRelease, Effect.repeat with a Schedule in a scope).",
  ProcessWrap: "Kill each child process when its work ends or is interrupted (Effect.acquireRelease).",
  TCPSocketWrap:
    "Close sockets in the scope of the work that opened them (Effect.acquireRelease), and give idle ones a timeout."
}

export const ResourceGrowth = LeakRule.make({
  name,
  explainedBy: { kinds: ["fiber-growth", "abandoned-fibers", "memory-growth"], where: "anywhere" },
  find: (observation) => {
    const findings: Array<Finding> = []
    const suspicions: Array<LeakRule.Suspicion> = []
    const judge = (type: string, points: ReadonlyArray<Point>): NumberVerdict["_tag"] => {
      const count = points.at(-1)?.value ?? 0
      const number = judgeNumber(observation, points)
      // Fibers are judged only for a number that grows, because that takes a look at all of their sites.
      const verdict = number._tag === "growing" ? timersOfFibers(observation, type, count) ?? number : number
      if (verdict._tag === "growing") findings.push(findingOf(observation, type, count, verdict))
      if (verdict._tag === "unclear") {
        suspicions.push({
          rule: name,
          what: openOf(type, count),
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
    return { findings, suspicions }
  }
})

/** Timers live as long as the fibers that sleep on them. If most may be theirs, and their lifetime is unknown, so is this. */
const timersOfFibers = (observation: Observation, type: string, count: number): NumberVerdict | undefined => {
  const fibers = type === "Timeout" ? ofUnknownLife(observation) : undefined
  if (fibers === undefined || fibers.count < limits.most * count) return undefined
  const { what, why } = fibers.doubt
  return { _tag: "unclear", row: "unknown lifetime", why: `${what}, and ${why}`, perSecond: 0, z: 0, text: "" }
}

/** Common words for Node's types. */
const words: Readonly<Record<string, string>> = {
  [descriptorType]: "file descriptors",
  FSEventWrap: "file watchers",
  MessagePort: "message ports",
  PipeWrap: "pipes",
  ProcessWrap: "child processes",
  StatWatcher: "file watchers",
  TCPServerWrap: "servers",
  TCPSocketWrap: "sockets",
  TLSWrap: "TLS sockets",
  Timeout: "timers",
  UDPWrap: "UDP sockets",
  Worker: "threads"
}

const openOf = (type: string, count: number): string =>
  `${count} ${words[type] ?? `resources of type ${type}`} are open`

const findingOf = (observation: Observation, type: string, count: number, verdict: NumberVerdict): Finding => {
  const place = growingPlace(observation, (chain) => chain.some(isHandleFrame))
  // Every fiber that sleeps has a timer.
  const fibers = place === undefined ? suspectPlace(observation) : undefined
  return Findings.make({
    kind: "resource-growth",
    rule: name,
    decided: Findings.decidedBy(verdict),
    summary: `${openOf(type, count)}, and the number rises`
      + (place !== undefined
        ? `; ${describeSite(place.site)} probably opens them`
        : fibers === undefined
        ? ""
        : `, together with fibers that are forked in ${describeSite(fibers)}`),
    site: place?.site ?? fibers ?? { name: type },
    chain: place?.chain ?? [],
    count,
    growth: { perSecond: verdict.perSecond, unit: "resources" },
    evidence: [{ label: "number", text: verdict.text }],
    cannotShow: place === undefined && fibers === undefined
      ? "which code opens them: Node reports their type only."
      : "for certain which code opens them: Node reports their type only.",
    fix: advice[type] ?? "Close them in the scope of the work that opened them (Effect.acquireRelease)."
  })
}

/** Functions of Node that make timers, sockets, pipes and processes. */
const isHandleFrame = ({ file }: Place): boolean =>
  file !== undefined &&
  /^node:(?:internal\/)?(?:timers|net|_?http|_?tls|dgram|stream|child_process|worker|fs)/.test(file)
