/** The planted controls in a snapshot: two fibers of which it is known whether they can be resumed. */
import type { HeapGraph } from "../HeapGraph.ts"
import { edgeType } from "../HeapGraph.ts"
import { reach } from "./Values.ts"

/** The fields of an object with the controls, each with a weak reference to a fiber. */
export const controlNames = {
  blocked: "~fiberscope/controls/blocked",
  waiting: "~fiberscope/controls/waiting"
} as const

/** The controls. */
export interface Controls {
  readonly blocked: number
  readonly waiting: number
}

/** Finds the controls. */
export const controlsOf = (graph: HeapGraph): ReadonlyArray<Controls> => {
  const name = graph.strings.find(controlNames.blocked)
  if (name === undefined) return []
  const property = edgeType(graph, "property")
  const found: Array<Controls> = []
  for (let node = 0; node < graph.nodes; node++) {
    for (let edge = graph.firstEdge[node]!; edge < graph.firstEdge[node + 1]!; edge++) {
      if (graph.edgeName[edge] !== name || graph.edgeType[edge] !== property) continue
      const [blocked, waiting] = [controlNames.blocked, controlNames.waiting].map((one) => {
        const ref = reach(graph, node, "property", one)
        return ref === undefined ? undefined : reach(graph, ref, "weak", "target")
      })
      if (blocked !== undefined && waiting !== undefined) found.push({ blocked, waiting })
    }
  }
  return found
}
