/**
 * Fibers that are blocked forever, proven from a snapshot.
 *
 * **Details**
 *
 * A suspended fiber is resumed by its callback. If the callback cannot be reached from anything that can still happen, no timer, handle,
 * Deferred or queue resumes the fiber. It stays until the list that keeps it is closed: its parent, its scope, a FiberSet. {@link "Marking"}
 * has the rules.
 *
 * The proof is about the snapshot that it was given. It depends on how V8 writes references and on private fields of Effect, so it checks
 * itself: each fiber must have the fields that are read, a fiber that waits for an armed timer must not be blocked, and the planted
 * controls, if there are any, must come out as they are. Otherwise nothing is claimed.
 */
import type { HeapGraph } from "../HeapGraph.ts"
import { controlsOf } from "./Controls.ts"
import { effectObjects, fiberFields } from "./EffectFields.ts"
import type { EffectObjects, FiberFields } from "./EffectFields.ts"
import { describer } from "./Fibers.ts"
import type { HeapFiber } from "./Fibers.ts"
import { mark } from "./Marking.ts"
import type { Marking, Suspended } from "./Marking.ts"
import { reach } from "./Values.ts"
import type { Wait } from "./Waits.ts"

/** A fiber that nothing resumes. */
export interface StuckFiber extends Omit<HeapFiber, "children" | "waitsFor"> {
  readonly waitsFor: Wait
}

/**
 * The suspended fibers that no callback resumes.
 *
 * **Details**
 *
 * - `blocked`: proven. Only lists of fibers keep them.
 * - `held`: code that can run holds the fiber. It could interrupt it, but nothing resumes it.
 * - `closing`: a finalizer resumes them when its scope is closed, such as one that completes a Deferred.
 * - `parked`: they wait in `Effect.never`, or for a fiber that does, on purpose; or for a callback that the program has lost, which looks
 *   the same if it has no cleanup.
 * - `controls`: whether there were planted controls to check the proof.
 */
export interface Proof {
  readonly _tag: "Proof"
  readonly blocked: ReadonlyArray<StuckFiber>
  readonly held: ReadonlyArray<StuckFiber>
  readonly closing: ReadonlyArray<StuckFiber>
  readonly parked: ReadonlyArray<StuckFiber>
  readonly alive: number
  readonly controls: "planted" | "absent"
}

/** Nothing can be said about this snapshot, for a reason. */
export interface Undecided {
  readonly _tag: "Undecided"
  readonly reason: string
}

/** Looks for fibers that are blocked forever. */
export const blockedFibers = (graph: HeapGraph, objects: EffectObjects = effectObjects(graph)): Proof | Undecided => {
  const nodes = objects.all("Fiber")
  if (nodes.length === 0) return undecided("the snapshot has no fibers")
  const missing = required.filter((name) => reach(graph, nodes[0]!, "property", name) === undefined)
  if (missing.length > 0) {
    return undecided(`fibers have no \`${missing.join("`, `")}\`: this version of effect cannot be read`)
  }
  const fibers = nodes.map((node) => ({ node, fields: fiberFields(graph, node) })).filter(({ fields }) =>
    !fields.hasEnded
  )
  const describe = describer(graph, objects)
  const known = new Map(fibers.map(({ fields, node }) => [node, describe(node, fields)]))
  const marking = mark(graph, objects, fibers.flatMap(suspendedOf(known)))
  const wrong = wrongControls(graph, marking) ?? wrongTimer(known, marking)
  if (wrong !== undefined) return undecided(wrong)
  const controls = controlsOf(graph)
  const planted = new Set(controls.flatMap(({ blocked, waiting }) => [blocked, waiting]))
  const stuck = [...known.values()].filter(isStuck).filter(({ node }) => !planted.has(node))
  const found = (way: ReturnType<Marking["wayTo"]>) => stuck.filter(({ node }) => marking.wayTo(node) === way)
  return {
    _tag: "Proof",
    blocked: found("listed"),
    held: found("held"),
    closing: found("finalizer"),
    parked: found("parked"),
    alive: known.size - planted.size,
    controls: controls.length > 0 ? "planted" : "absent"
  }
}

const required = ["_children", "_exit", "_observers", "_stack", "_yielded"] as const

const undecided = (reason: string): Undecided => ({ _tag: "Undecided", reason })

type Described = Omit<HeapFiber, "children">

const isStuck = (fiber: Described): fiber is StuckFiber => fiber.status === "suspended" && fiber.waitsFor !== undefined

const suspendedOf =
  (known: ReadonlyMap<number, Described>) =>
  ({ fields: { wake }, node }: { readonly fields: FiberFields; readonly node: number }): ReadonlyArray<Suspended> => {
    const waitsFor = known.get(node)?.waitsFor
    const isParked = waitsFor?.kind === "never" || waitsFor?.kind === "nothing"
    return wake === undefined ? [] : [{ fiber: node, wake, isParked }]
  }

/** A timer that is armed resumes its fiber. If the marks say otherwise, they are wrong. */
const wrongTimer = (known: ReadonlyMap<number, Described>, marking: Marking): string | undefined => {
  for (const { node, waitsFor } of known.values()) {
    if (waitsFor?.kind !== "timer" || waitsFor.node === undefined) continue
    if (marking.wayTo(waitsFor.node) === "resumed" && marking.wayTo(node) !== "resumed") {
      return "a fiber that waits for a timer came out as blocked"
    }
  }
  return undefined
}

const wrongControls = (graph: HeapGraph, marking: Marking): string | undefined => {
  for (const { blocked, waiting } of controlsOf(graph)) {
    if (marking.wayTo(blocked) !== "listed") return "the control that is blocked did not come out as blocked"
    if (marking.wayTo(waiting) !== "resumed") return "the control that waits for a timer came out as blocked"
  }
  return undefined
}
