/** The living fibers of a snapshot as a tree, and its scopes: any snapshot of a program with Effect has them, also one that was never observed. */
import { isProgramFile } from "@fiberscope/core/FiberSite"
import type { HeapGraph } from "../HeapGraph.ts"
import { nameOf, nodeType } from "../HeapGraph.ts"
import { placeFinder } from "../Scripts.ts"
import type { ScriptPlace } from "../Scripts.ts"
import { effectFields, effectObjects, fiberFields, scopeFields } from "./EffectFields.ts"
import type { EffectObjects, FiberFields } from "./EffectFields.ts"
import { field, reach } from "./Values.ts"
import { waits } from "./Waits.ts"
import type { Wait } from "./Waits.ts"

/**
 * A living fiber.
 *
 * **Details**
 *
 * - `id`: only in a snapshot that has numbers;
 * - `status`: `ready` for a fiber that waits for its turn, or has not started;
 * - `name`: the innermost function of `Effect.fn`, its span, or the function at `place`;
 * - `place`: the innermost function of the program on its stack;
 * - `finalizers`: those of the scope that the fiber has.
 */
export interface HeapFiber {
  readonly node: number
  readonly id: number | undefined
  readonly status: "running" | "ready" | "suspended"
  readonly name: string | undefined
  readonly frames: ReadonlyArray<string>
  readonly span: string | undefined
  readonly place: ScriptPlace | undefined
  readonly waitsFor: Wait | undefined
  readonly isInterrupting: boolean
  readonly finalizers: number
  readonly children: ReadonlyArray<HeapFiber>
}

/** The fibers of a snapshot. */
export interface FiberDump {
  /** The fibers without a living parent, each with its children. */
  readonly roots: ReadonlyArray<HeapFiber>
  readonly alive: number
  /** Fibers that have ended and are still in memory. */
  readonly ended: number
}

/** Reads the fibers of a snapshot. */
export const fibersOf = (graph: HeapGraph, objects: EffectObjects = effectObjects(graph)): FiberDump => {
  const describe = describer(graph, objects)
  const alive = new Map<
    number,
    { readonly fiber: HeapFiber; readonly children: Array<HeapFiber>; readonly parent: number | undefined }
  >()
  let ended = 0
  for (const node of objects.all("Fiber")) {
    const fields = fiberFields(graph, node)
    if (fields.hasEnded) {
      ended++
      continue
    }
    const children: Array<HeapFiber> = []
    alive.set(node, { fiber: { ...describe(node, fields), children }, children, parent: fields.parent })
  }
  const roots: Array<HeapFiber> = []
  for (const { fiber, parent } of alive.values()) {
    const above = parent === undefined ? undefined : alive.get(parent)
    if (above === undefined) roots.push(fiber)
    else above.children.push(fiber)
  }
  return { roots, alive: alive.size, ended }
}

/** Makes the function that describes a living fiber, without its children. */
export const describer = (
  graph: HeapGraph,
  objects: EffectObjects
): (node: number, fields: FiberFields) => Omit<HeapFiber, "children"> => {
  const placeOf = placeFinder(graph)
  const waitOf = waits(graph, objects, placeOf)
  return (node, fields) => {
    const status = fields.isRunning ? "running" : fields.wake === undefined ? "ready" : "suspended"
    const waitsFor = status === "suspended" ? waitOf(node, fields) : undefined
    const held = programFunction(graph, fields.stack, placeOf)
    return {
      node,
      id: fields.id,
      status: waitsFor?.kind === "yield" ? "ready" : status,
      name: fields.frames[0] ?? fields.span ?? held?.name,
      frames: fields.frames,
      span: fields.span,
      place: held?.place,
      waitsFor: waitsFor?.kind === "yield" ? undefined : waitsFor,
      isInterrupting: fields.isInterrupting,
      finalizers: fields.scope === undefined ? 0 : scopeFields(graph, fields.scope).finalizers.length
    }
  }
}

const functions = [
  effectFields.iterator,
  effectFields.args,
  effectFields.successCont,
  effectFields.failureCont,
  effectFields.payload,
  effectFields.onExit
] as const

/** The innermost function of the program on the stack of a fiber. */
const programFunction = (
  graph: HeapGraph,
  stack: ReadonlyArray<number>,
  placeOf: (node: number) => ScriptPlace | undefined
): { readonly name: string | undefined; readonly place: ScriptPlace } | undefined => {
  const closure = nodeType(graph, "closure")
  for (let at = stack.length - 1; at >= 0; at--) {
    for (const name of functions) {
      const node = field(graph, stack[at], name)
      const place = node === undefined ? undefined : placeOf(node)
      if (node === undefined || place === undefined || !isProgramFile(place.file)) continue
      const held = graph.type[node] === closure ? node : reach(graph, node, "internal", "function")
      const found = held === undefined ? "" : nameOf(graph, held)
      return { name: found === "" ? undefined : found, place }
    }
  }
  return undefined
}

/** A scope that is open. */
export interface HeapScope {
  readonly node: number
  readonly finalizers: number
  /** The finalizers among them that interrupt a fiber. */
  readonly fibers: number
}

/** The scopes of a snapshot that have finalizers, those with the most first. */
export const scopesOf = (graph: HeapGraph, objects: EffectObjects = effectObjects(graph)): ReadonlyArray<HeapScope> =>
  objects.all("Scope")
    .map((node) => {
      const { finalizers } = scopeFields(graph, node)
      const fibers = finalizers.filter(({ key }) => key !== undefined && objects.kindOf(key) === "Fiber").length
      return { node, finalizers: finalizers.length, fibers }
    })
    .filter(({ finalizers }) => finalizers > 0)
    .sort((a, b) => b.finalizers - a.finalizers)
