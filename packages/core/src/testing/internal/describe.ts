/** Plays a run again, with a full record. */
import * as Effect from "effect/Effect"
import { FiberSites, renderFrame } from "../../FiberSite.ts"
import type { Interruption, Run } from "../LabReport.ts"
import type { Plan } from "../Point.ts"
import { encodeToken } from "../Point.ts"
import type { Lab, Outcome } from "./Lab.ts"
import type { AnyFiber, Applied, Stage } from "./Stage.ts"
import { renderPlace, suspendedAt } from "./suspendedAt.ts"

export const describe = (lab: Lab, plan: Plan): Effect.Effect<{ readonly run: Run; readonly outcome: Outcome }> =>
  Effect.gen(function*() {
    const undisturbed = yield* played(lab.play({ ...plan, points: [] }, { operations: true }))
    const sites = new Map<Applied, Pick<Interruption, "at" | "site">>()
    const names = new Map<Applied, readonly [fiber: string, victim: string]>()
    const onApply = (applied: Applied, stage: Stage) => {
      sites.set(applied, siteOf(applied.fiber, stage.root))
      names.set(applied, [stage.nameOf(applied.fiber), stage.nameOf(applied.victim)])
    }
    const outcome = yield* played(lab.play(plan, { operations: true, onApply }))
    const { ledger, operations, problems, stage } = outcome
    const interruptions = stage.applied.map((applied): Interruption => ({
      point: applied.point,
      fiber: names.get(applied)![0],
      victim: names.get(applied)![1],
      op: applied.op,
      ms: applied.ms,
      ...sites.get(applied)!
    }))
    const run: Run = {
      token: encodeToken(plan, stage.applied[0]?.trace),
      plan,
      problems,
      interruptions,
      exit: stage.exit,
      events: ledger.events,
      operations,
      undisturbed: undisturbed.operations,
      ms: stage.now
    }
    return { run, outcome }
  })

const played = (outcome: Outcome | Promise<Outcome>): Effect.Effect<Outcome> =>
  outcome instanceof Promise ? Effect.promise(() => outcome) : Effect.succeed(outcome)

/** The line at which a fiber, or otherwise the root, is suspended, and the functions and spans around it. */
const siteOf = (fiber: AnyFiber, root: AnyFiber | undefined): Pick<Interruption, "at" | "site"> => {
  const sites = new FiberSites()
  const { chain, fork } = sites.get(sites.intern(fiber.cache, fiber.cache))
  // A fiber that has just begun is not suspended anywhere yet.
  const own = suspendedAt(fiber)
  const at = own ?? suspendedAt(root)
  const frames = chain.length > 0 ? chain : fork === undefined ? [] : [fork]
  return {
    at,
    site: [
      ...(at === undefined ? [] : [`${renderPlace(at)}${own === undefined ? " (root)" : ""}`]),
      ...frames.map((frame) => renderFrame(frame, process.cwd()))
    ]
  }
}
