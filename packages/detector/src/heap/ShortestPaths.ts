/**
 * The shortest path from the roots to each object, the same in every snapshot of a process.
 *
 * **Details**
 *
 * A breadth-first search. Roots and references that come and go while a program runs (the stack, handle scopes, feedback and optimized
 * code) are followed last: only what nothing else reaches has a path through them. Without that rule the path of the same object changes
 * from one snapshot to the next. A value of a WeakMap is reached when both its key and the map are.
 */
import type { HeapGraph } from "./HeapGraph.ts"
import { edgeType, nameOf, nodeType } from "./HeapGraph.ts"
import { toolFunctions } from "./Scripts.ts"

/** The paths. */
export interface ShortestPaths {
  /** The nodes that are reached, from the root outwards. */
  readonly order: Uint32Array<ArrayBuffer>
  /** The node before each node. */
  readonly parent: Uint32Array<ArrayBuffer>
  /** The edge that leads to each node. */
  readonly edge: Uint32Array<ArrayBuffer>
  /** Whether the path leads through something that comes and goes. */
  readonly isPassing: Uint8Array<ArrayBuffer>
}

/** Strong roots are mostly empty; on a busy machine they held the scope of a module for a moment. V8's own objects are in the strong root list. */
const passingRoots =
  /Stack roots|Strong roots|Handle scope|Global handles|Weak|Startup object cache|Eternal|Bootstrapper|Micro tasks/

/** The classes of Fiberscope's own census, which leads to the classes of Effect, and to the youngest fibers for a second. */
const classesOfCensus = ["Census", "FiberTable"]

const passingEdges = /deoptimization literal|feedback|optimized code|code$|baseline|bytecode|^native_to_javascript$/
const pair = /^\d+ (\/ part of key .* pair in WeakMap .*)$/s

/** Finds the paths. */
export const shortestPaths = (graph: HeapGraph): ShortestPaths => {
  const { edgeType: kind, firstEdge, nodes, target } = graph
  const weak = edgeType(graph, "weak")
  const internal = edgeType(graph, "internal")
  const synthetic = nodeType(graph, "synthetic")
  const shortcut = edgeType(graph, "shortcut")
  const property = edgeType(graph, "property")
  const census = new Set(classesOfCensus.map((name) => graph.strings.find(name) ?? -1))
  const timersList = graph.strings.find("TimersList") ?? -1
  const timerAfter = graph.strings.find("_idleNext") ?? -1
  const timerBefore = graph.strings.find("_idlePrev") ?? -1
  const isTool = toolFunctions(graph)
  const parent = new Uint32Array(nodes)
  const through = new Uint32Array(nodes)
  const isPassing = new Uint8Array(nodes)
  const isReached = new Uint8Array(nodes)
  const order = new Uint32Array(nodes)
  const later: Array<number> = []
  const roles = new Map<number, string | boolean>()
  const halves = new Set<string>()
  let count = 0

  /** `true` for a name of an edge that comes and goes, the pair of an entry of a WeakMap, else `false`. */
  const roleOf = (edge: number): string | boolean => {
    const name = graph.edgeName[edge]!
    let role = roles.get(name)
    if (role === undefined) {
      const text = graph.strings.text(name)
      roles.set(name, role = text.includes("WeakMap") ? pair.exec(text)?.[1] ?? false : passingEdges.test(text))
    }
    return role
  }

  const passing = new Map<number, boolean>()
  /** Whether what a root leads to comes and goes. */
  const isPassingRoot = (node: number): boolean => {
    const name = graph.name[node]!
    let passes = passing.get(name)
    if (passes === undefined) passing.set(name, passes = passingRoots.test(nameOf(graph, node)))
    return passes
  }

  const reach = (node: number, from: number, edge: number, pass: number): void => {
    isReached[node] = 1
    parent[node] = from
    through[node] = edge
    isPassing[node] = pass
    order[count++] = node
  }

  /** The reference of a timer to the next one of its list, or -1. */
  const edgeAfter = (timer: number): number => {
    for (let edge = firstEdge[timer]!; edge < firstEdge[timer + 1]!; edge++) {
      if (graph.edgeName[edge] === timerAfter && kind[edge] === property) return edge
    }
    return -1
  }

  /** All timers of a list belong to the list: a variable that has one of them does not keep the others. */
  const reachTimers = (list: number, pass: number): void => {
    const first = edgeAfter(list)
    const seen = new Set([list])
    for (let edge = first; edge >= 0 && !seen.has(target[edge]!); edge = edgeAfter(target[edge]!)) {
      seen.add(target[edge]!)
      if (isReached[target[edge]!] === 0) reach(target[edge]!, list, first, pass)
    }
  }

  reach(0, 0, 0, 0)
  for (let pass = 0, next = 0; pass < 2; pass++) {
    if (pass === 1) {
      for (let i = 0; i < later.length; i += 2) {
        const edge = later[i + 1]!
        if (isReached[target[edge]!] === 0) reach(target[edge]!, later[i]!, edge, 1)
      }
    }
    for (; next < count; next++) {
      const node = order[next]!
      const passes = census.has(graph.name[node]!) || isTool[node] === 1
        || (graph.type[node] === synthetic && isPassingRoot(node))
      if (graph.name[node] === timersList) reachTimers(node, pass)
      const end = firstEdge[node + 1]!
      for (let edge = firstEdge[node]!; edge < end; edge++) {
        const type = kind[edge]!
        const to = target[edge]!
        if (type === weak || isReached[to] === 1) continue
        const role = type === internal ? roleOf(edge) : false
        if (typeof role === "string" && !halves.delete(role)) {
          halves.add(role)
          continue
        }
        const isBesideTimer = type === property
          && (graph.edgeName[edge] === timerAfter || graph.edgeName[edge] === timerBefore)
        if (pass === 0 && (passes || isBesideTimer || role === true || (type === shortcut && node !== 0))) {
          later.push(node, edge)
          continue
        }
        reach(to, node, edge, pass)
      }
    }
  }
  return { order: order.subarray(0, count), parent, edge: through, isPassing }
}
