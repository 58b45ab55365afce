/** All that is shown of snapshots of one process: what grew, what retains memory, and the classes. */
import type { HeapStep } from "../../agent/Protocol.ts"
import { classesOf } from "../Classes.ts"
import type { HeapClass } from "../Classes.ts"
import { stepsOf } from "../compareSnapshots.ts"
import { dominatorsOf } from "../Dominators.ts"
import { dominatorTree } from "../DominatorTree.ts"
import type { HeapGraph } from "../HeapGraph.ts"
import { edgeType, nameOf, nodeType } from "../HeapGraph.ts"
import { holdersOf } from "../Holders.ts"
import type { Holder } from "../Holders.ts"
import type { Signed } from "../Signatures.ts"
import { effectSummaryOf } from "./EffectSummary.ts"
import type { EffectSummary } from "./EffectSummary.ts"

/** A holder with the path to it. */
interface HeldMemory extends Omit<Holder, "node"> {
  readonly steps: ReadonlyArray<HeapStep>
}

/** One snapshot. */
export interface HeapSummary {
  readonly bytes: number
  readonly objects: number
  readonly held: ReadonlyArray<HeldMemory>
  readonly classes: ReadonlyArray<HeapClass>
  /** The longest strings, by their own size. */
  readonly strings: ReadonlyArray<{ readonly bytes: number; readonly text: string }>
  readonly effect: EffectSummary
}

/** The longest lists. */
const most = { held: 20, classes: 50, strings: 10, characters: 60 } as const

/** Summarizes a snapshot. */
export const summaryOf = (graph: HeapGraph, signed: Signed): HeapSummary => {
  const { signature, tree } = signed
  const dominators = dominatorsOf(graph)
  const below = dominatorTree(dominators.dominator)
  return {
    bytes: dominators.retainedSize[0]!,
    objects: graph.nodes,
    held: holdersOf(graph, dominators, below).slice(0, most.held).map(({ node, ...holder }) => ({
      ...holder,
      steps: stepsOf(tree.path(signature[node]!))
    })),
    classes: classesOf(graph, dominators, below).slice(0, most.classes),
    strings: longestStrings(graph),
    effect: effectSummaryOf(graph, signed)
  }
}

/** The longest strings, but not the text of scripts. */
const longestStrings = (graph: HeapGraph): HeapSummary["strings"] => {
  const string = nodeType(graph, "string")
  const isSource = new Set<number>()
  const source = graph.strings.find("source")
  for (let edge = 0; edge < graph.edges; edge++) {
    if (graph.edgeName[edge] === source && graph.edgeType[edge] === edgeType(graph, "internal")) {
      isSource.add(graph.target[edge]!)
    }
  }
  const bySize = (a: number, b: number): number => graph.selfSize[b]! - graph.selfSize[a]!
  const nodes: Array<number> = []
  let least = 0
  for (let node = 0; node < graph.nodes; node++) {
    if (graph.type[node] !== string || graph.selfSize[node]! <= least || isSource.has(node)) continue
    nodes.push(node)
    if (nodes.length < 2 * most.strings) continue
    nodes.sort(bySize).length = most.strings
    least = graph.selfSize[nodes.at(-1)!]!
  }
  return nodes.sort(bySize).slice(0, most.strings).map((node) => ({
    bytes: graph.selfSize[node]!,
    text: nameOf(graph, node).slice(0, most.characters)
  }))
}
