/** The class histogram of a snapshot: how many objects of each class there are, and how much would be free without them. */
import type { Dominators } from "./Dominators.ts"
import type { DominatorTree } from "./DominatorTree.ts"
import type { HeapGraph } from "./HeapGraph.ts"
import { nodeType } from "./HeapGraph.ts"

/** A class. `bytes` are those of its objects alone; `retained` counts an object that another one of its class retains only once. */
export interface HeapClass {
  readonly name: string
  readonly count: number
  readonly bytes: number
  readonly retained: number
}

/** Groups the nodes of a snapshot: objects by the name of their class, everything else by its type, such as `(string)`. */
export const classGroups = (
  graph: HeapGraph
): { readonly group: Uint32Array; readonly names: ReadonlyArray<string> } => {
  const object = nodeType(graph, "object")
  const native = nodeType(graph, "native")
  const names: Array<string> = []
  const byName = new Map<number, number>()
  const byType = new Map<number, number>()
  const types = [...graph.nodeTypes.keys()]
  const group = new Uint32Array(graph.nodes)
  for (let node = 0; node < graph.nodes; node++) {
    const type = graph.type[node]!
    const isNamed = type === object || type === native
    const groups = isNamed ? byName : byType
    const key = isNamed ? graph.name[node]! : type
    let found = groups.get(key)
    if (found === undefined) {
      groups.set(key, found = names.length)
      names.push(isNamed ? graph.strings.text(key) : `(${types[type]})`)
    }
    group[node] = found
  }
  return { group, names }
}

/** The classes, those that retain the most first. */
export const classesOf = (
  graph: HeapGraph,
  { retainedSize }: Dominators,
  { child, first }: DominatorTree
): ReadonlyArray<HeapClass> => {
  const { group, names } = classGroups(graph)
  const count = new Float64Array(names.length)
  const bytes = new Float64Array(names.length)
  const retained = new Float64Array(names.length)
  for (let node = 1; node < graph.nodes; node++) {
    count[group[node]!]!++
    bytes[group[node]!]! += graph.selfSize[node]!
  }
  // A walk down the tree, in which `above` counts the nodes of each class on the way to the current one.
  const above = new Uint32Array(names.length)
  const way: Array<number> = [0]
  const next: Array<number> = [first[0]!]
  while (way.length > 0) {
    const at = way.length - 1
    const node = way[at]!
    if (next[at]! < first[node + 1]!) {
      const below = child[next[at]!++]!
      if (above[group[below]!]!++ === 0) retained[group[below]!]! += retainedSize[below]!
      way.push(below)
      next.push(first[below]!)
    } else {
      way.pop()
      next.pop()
      if (node !== 0) above[group[node]!]!--
    }
  }
  return names
    .map((name, i) => ({ name, count: count[i]!, bytes: bytes[i]!, retained: retained[i]! }))
    .filter((one) => one.count > 0)
    .sort((a, b) => b.retained - a.retained)
}
