/**
 * Marks what can still happen in a program: how each object is reached from the roots.
 *
 * **Details**
 *
 * A suspended fiber is resumed by its callback. So a reference to a fiber counts as a way to resume it only where it comes from the context
 * of the callback. All other references belong to code that holds the fiber, and can interrupt it, or to a list, which does nothing. Nodes
 * are visited in the order of these ways, so a node gets the strongest way that leads to it:
 *
 * 1. `resumed`: something that can happen at any time leads to it;
 * 2. `held`: code that can run holds the fiber, and could interrupt it;
 * 3. `finalizer`: a finalizer leads to it, so it happens when the scope is closed;
 * 4. `parked`: it waits for a fiber that waits without an end on purpose;
 * 5. `listed`: only lists of fibers lead to it.
 *
 * Weak references lead nowhere, and a value of a WeakMap is reached when its key and the map are. This is the garbage collection of
 * goroutines that Go 1.26 does in its profile of leaked ones, for fibers.
 */
import type { HeapGraph } from "../HeapGraph.ts"
import { edgeType, nodeType } from "../HeapGraph.ts"
import { effectFields, fiberLists, ownLists, scopeFields } from "./EffectFields.ts"
import type { EffectObjects } from "./EffectFields.ts"
import { field, isValue, reach } from "./Values.ts"

/** The ways, the strongest first. */
const ways = ["resumed", "held", "finalizer", "parked", "listed"] as const

/** The strongest way that leads to a node, or `unreached`. */
type Way = (typeof ways)[number] | "unreached"

/** A fiber that is suspended, with the context of its callback. */
export interface Suspended {
  readonly fiber: number
  readonly wake: number
  /** Whether it waits without an end on purpose. */
  readonly isParked: boolean
}

/** The marks. */
export interface Marking {
  readonly wayTo: (node: number) => Way
}

const [resumed, held, finalizer, parked, listed] = [0, 1, 2, 3, 4] as const
const unreached = ways.length

/** Roles of nodes, as bits. */
const role = { fiber: 1, suspended: 2, list: 4, scope: 8 } as const

/** Internals that remember values for speed; no code gets at a value through them alone. */
const memory = /feedback|deoptimization literal|optimized code/
const pair = /^\d+ (\/ part of key .* pair in WeakMap .*)$/

/** Marks all nodes. */
export const mark = (graph: HeapGraph, objects: EffectObjects, suspended: ReadonlyArray<Suspended>): Marking => {
  const { edgeName, edgeType: types, firstEdge, nodes, target } = graph
  const weak = edgeType(graph, "weak")
  const internal = edgeType(graph, "internal")
  const number = (name: string): number => graph.strings.find(name) ?? -1
  const names = {
    children: number("_children"),
    parent: number("_parent"),
    finalizer: number("finalizer"),
    finalizerKey: number("finalizerKey"),
    finalizers: number("finalizers"),
    properties: number("properties")
  }
  const roles = rolesOf(graph, objects, suspended)
  const wakes = new Map(suspended.map(({ fiber, wake }) => [fiber, wake]))
  const way = new Uint8Array(nodes).fill(unreached)
  const open = new Uint32Array(nodes)
  const later: ReadonlyArray<Array<number>> = ways.map(() => [])
  const halves = new Set<string>()
  const internals = new Map<number, "memory" | "plain" | { readonly pair: string }>()

  const internalRole = (edge: number) => {
    const name = edgeName[edge]!
    const before = internals.get(name)
    if (before !== undefined) return before
    const text = graph.strings.text(name)
    const [, half] = text.includes("WeakMap") ? pair.exec(text) ?? [] : []
    const found = half !== undefined ? { pair: half } : memory.test(text) ? "memory" : "plain"
    internals.set(name, found)
    return found
  }

  /** The weakest way that a reference with a role allows. */
  const through = (from: number, edge: number, to: number, now: number): number => {
    const [source, aim] = [roles[from]!, roles[to]!]
    const name = edgeName[edge]!
    if ((source & role.fiber) !== 0 && (name === names.children || name === names.parent)) return listed
    if ((source & role.scope) !== 0) {
      if (name === names.finalizer || name === names.finalizers) return finalizer
      if (name === names.finalizerKey) return listed
    }
    if ((aim & role.suspended) === 0) return (source & role.list) !== 0 && (aim & role.fiber) !== 0 ? listed : resumed
    if (from === wakes.get(to)) return resumed
    if ((source & role.list) !== 0 || isSpent(graph, from)) return listed
    // A finalizer that holds a fiber interrupts it.
    return now >= finalizer ? listed : held
  }

  let count = 0
  const visit = (node: number, now: number): void => {
    way[node] = now
    open[count++] = node
  }

  const expand = (node: number, now: number): void => {
    const own = roles[node]!
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const to = target[edge]!
      if (types[edge] === weak || way[to]! <= now) continue
      if (types[edge] === internal) {
        // The fields are there by their names too.
        if (own !== 0 && edgeName[edge] === names.properties) continue
        const kind = internalRole(edge)
        if (kind === "memory") continue
        if (typeof kind === "object" && !halves.delete(kind.pair)) {
          halves.add(kind.pair)
          continue
        }
      }
      const needed = own === 0 && roles[to] === 0 ? now : Math.max(now, through(node, edge, to, now))
      if (needed === now) visit(to, now)
      else later[needed]!.push(to)
    }
  }

  visit(0, resumed)
  for (let now = resumed as number; now <= listed; now++) {
    for (const node of later[now]!) if (way[node] === unreached) visit(node, now)
    if (now === parked) {
      for (const { fiber, isParked } of suspended) if (isParked && way[fiber] === unreached) visit(fiber, now)
    }
    while (count > 0) expand(open[--count]!, now)
  }
  return { wayTo: (node) => ways[way[node]!] ?? "unreached" }
}

/** Whether a context belongs to a callback that was called: the fiber waits for another one now. */
const isSpent = (graph: HeapGraph, context: number): boolean =>
  isValue(graph, reach(graph, context, "context", effectFields.resumed), "true")

const rolesOf = (graph: HeapGraph, objects: EffectObjects, suspended: ReadonlyArray<Suspended>): Uint8Array => {
  const roles = new Uint8Array(graph.nodes)
  const add = (node: number | undefined, bit: number): void => {
    if (node !== undefined) roles[node]! |= bit
  }
  for (const fiber of objects.all("Fiber")) add(fiber, role.fiber)
  for (const { fiber } of suspended) add(fiber, role.suspended)
  for (const scope of objects.all("Scope")) add(scopeFields(graph, scope).state, role.scope)
  for (const kind of ["FiberHandle", "FiberMap", "FiberSet"] as const) {
    for (const node of objects.all(kind)) for (const list of fiberLists(graph, node, kind)) add(list, role.list)
  }
  for (const list of ownListsOf(graph)) add(list, role.list)
  return roles
}

/** Fiberscope's own lists of fibers. */
const ownListsOf = (graph: HeapGraph): ReadonlyArray<number> => {
  const nursery = graph.strings.find(ownLists.nursery.known)
  const task = graph.strings.find(ownLists.task.known[0])
  if (nursery === undefined && task === undefined) return []
  const found: Array<number> = []
  const object = nodeType(graph, "object")
  for (let node = 0; node < graph.nodes; node++) {
    if (graph.type[node] !== object) continue
    for (let edge = graph.firstEdge[node]!; edge < graph.firstEdge[node + 1]!; edge++) {
      const name = graph.edgeName[edge]!
      if (name === nursery) {
        const list = field(graph, node, ownLists.nursery.list)
        if (list === undefined) continue
        const elements = reach(graph, list, "internal", "elements")
        found.push(list, ...(elements === undefined ? [] : [elements]))
      } else if (name === task && reach(graph, node, "property", ownLists.task.known[1]) !== undefined) found.push(node)
    }
  }
  return found
}
