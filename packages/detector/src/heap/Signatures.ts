/**
 * The signature of an object: the shortest path to it as names, without what differs from one snapshot, or one process, to the next.
 *
 * **Details**
 *
 * A step of a signature is the name of a reference and the class that it leads to, such as `inflight → Map`. An index, a key of a large
 * object and a number in a name become `[]`. Tables and element arrays belong to the object that owns them. A step that repeats
 * (`next → Listener → next → Listener`) folds into one, so all members of a list have one signature. Signatures form a tree.
 */
import type { HeapGraph } from "./HeapGraph.ts"
import { edgeType, nodeType } from "./HeapGraph.ts"
import { PairTable } from "./PairTable.ts"
import { placesOf } from "./Scripts.ts"
import type { ScriptPlace } from "./Scripts.ts"
import { shortestPaths } from "./ShortestPaths.ts"
import type { ShortestPaths } from "./ShortestPaths.ts"

/** One step of a path. */
export interface Step {
  /** The name of the reference. */
  readonly edge: string
  /** The class of the object, or the name of the closure. */
  readonly node: string
  readonly kind: "object" | "closure" | "context" | "string" | "value" | "native" | "internal" | "root"
  /** The place of a closure. */
  readonly place?: ScriptPlace | undefined
}

/** All signatures of the snapshots of a process, by number. The root is 0, and a signature is greater than the one above it. */
export class SignatureTree {
  readonly #steps: Array<Step> = [{ edge: "", node: "", kind: "root" }]
  readonly #labels: Array<number> = [-1]
  readonly #above: Array<number> = [0]
  readonly #classes: Array<number> = [-1]
  readonly #below = new PairTable()
  readonly #numbers = new Map<string, number>()

  get size(): number {
    return this.#steps.length
  }

  step(signature: number): Step {
    return this.#steps[signature]!
  }

  above(signature: number): number {
    return this.#above[signature]!
  }

  /** The label of the class that a signature ends with. */
  classOf(signature: number): number {
    return this.#classes[signature]!
  }

  /** The steps from the root to a signature. */
  path(signature: number): ReadonlyArray<Step> {
    const steps: Array<Step> = []
    for (let at = signature; at !== 0; at = this.above(at)) steps.push(this.step(at))
    return steps.toReversed()
  }

  /** The number of a label: the same for steps that are the same in all snapshots. */
  label(key: string): number {
    let number = this.#numbers.get(key)
    if (number === undefined) this.#numbers.set(key, number = this.#numbers.size)
    return number
  }

  /** The signature of an object below another one, or -1 if none has it yet; that of an object above where the step repeats. */
  below(signature: number, label: number, folds: boolean): number {
    for (let at = signature, up = 0; folds && at !== 0 && up < foldWithin; at = this.above(at), up++) {
      if (this.#labels[at] === label) return at
    }
    return this.#below.get(signature, label)
  }

  /** Adds a signature below another one. */
  add(signature: number, label: number, classLabel: number, step: Step): number {
    if (this.size === mostSignatures) return signature
    const added = this.size
    this.#below.set(signature, label, added)
    this.#steps.push(step)
    this.#labels.push(label)
    this.#above.push(signature)
    this.#classes.push(classLabel)
    return added
  }
}

/** A step repeats within so many steps: a link of a list, or of a chain of spans with a context between two of them. */
const foldWithin = 4

/** Data that looks like a program may need more. An object without a signature of its own has that of the object above. */
export const mostSignatures = 2 ** 20

/** The signatures of a snapshot. */
export interface Signed {
  readonly tree: SignatureTree
  readonly paths: ShortestPaths
  /** The signature of each node; 0 for the root and for what nothing reaches. */
  readonly signature: Uint32Array<ArrayBuffer>
  /** 1 for a node that belongs to the one above it, such as the table of a Map, or an integer. */
  readonly isPart: Uint8Array<ArrayBuffer>
}

/**
 * Gives each node of a snapshot its signature. `known` answers the signature that an object has in another snapshot of the process: it keeps
 * it, because the shortest path to the same object may lead through one fiber now and through another one later.
 */
export const sign = (
  graph: HeapGraph,
  tree: SignatureTree,
  known: (id: number) => number | undefined = () => undefined
): Signed => {
  const paths = shortestPaths(graph)
  const signature = new Uint32Array(graph.nodes)
  const isPart = new Uint8Array(graph.nodes)
  const labels = labelsOf(graph, tree)
  const { order } = paths
  for (let i = 1; i < order.length; i++) {
    const node = order[i]!
    const above = signature[paths.parent[node]!]!
    if (labels.isPart(node, paths.parent[node]!)) {
      isPart[node] = 1
      signature[node] = above
      continue
    }
    const before = known(graph.id[node]!)
    const classLabel = labels.classLabel(node)
    // V8 gives an object that was allocated in the place of a dead one the id of that.
    if (before !== undefined && tree.classOf(before) === classLabel) {
      signature[node] = before
      continue
    }
    const edge = paths.edge[node]!
    const from = paths.parent[node]!
    // All contexts have the same name: that of a function in a module is no repetition of the module's own.
    const folds = graph.name[node] !== labels.context
    const label = labels.label(node, edge, from)
    const found = tree.below(above, label, folds)
    signature[node] = found < 0 ? tree.add(above, label, classLabel, labels.step(node, edge, from)) : found
  }
  return { tree, paths, signature, isPart }
}

/** An object with more properties than this is a dictionary: its keys are data. */
const mostFields = 40

const labelsOf = (graph: HeapGraph, tree: SignatureTree) => {
  const { edgeType: kind, firstEdge, name, type } = graph
  const array = nodeType(graph, "array")
  const hidden = nodeType(graph, "hidden")
  const closure = nodeType(graph, "closure")
  const number = nodeType(graph, "number")
  const generator = graph.strings.find("Generator") ?? -1
  const element = edgeType(graph, "element")
  const hiddenEdge = edgeType(graph, "hidden")
  const property = edgeType(graph, "property")
  const typeNames = [...graph.nodeTypes.keys()]
  const places = placesOf(graph)
  const strings = new Set(["string", "concatenated string", "sliced string"])
  const values = new Set(["number", "bigint", "symbol", "regexp"])
  const isData = Uint8Array.from(typeNames, (named) => strings.has(named) || values.has(named) ? 1 : 0)

  /** Keys of a dictionary are data of the program. */
  const isDictionary = (node: number): boolean => firstEdge[node + 1]! - firstEdge[node]! > mostFields

  const edgeText = (edge: number, from: number): string => {
    const how = kind[edge]!
    if (how === element || how === hiddenEdge) return "[]"
    if (how === property && isDictionary(from)) return "[]"
    return normal(graph.strings.text(graph.edgeName[edge]!))
  }

  const kindOf = (node: number): Step["kind"] => {
    const named = typeNames[type[node]!]!
    if (strings.has(named)) return "string"
    if (values.has(named)) return "value"
    if (named === "closure") return "closure"
    if (named === "native") return "native"
    if (named === "synthetic") return "root"
    const text = graph.strings.text(name[node]!)
    if (text === "system / Context") return "context"
    return named === "object" && !text.startsWith("system / ") ? "object" : "internal"
  }

  const nodeText = (node: number): string => {
    const named = typeNames[type[node]!]!
    if (strings.has(named)) return "string"
    if (values.has(named)) return named
    const text = graph.strings.text(name[node]!)
    return text === "" && named === "closure" ? "(anonymous)" : normal(text)
  }

  /** Closures, and generators: the variables of a module belong to a generator. */
  const isFunction = (node: number): boolean => type[node] === closure || name[node] === generator

  /** The number of the label of each name of an edge, and one more; 0 for a name that was not asked for. */
  const edgeNumbers = new Uint32Array(graph.strings.size)
  const someEdge = tree.label("edge []")
  const nodeNumbers = new PairTable()
  const placeNumbers = new PairTable()
  const both = new PairTable()

  const edgeNumber = (edge: number, from: number): number => {
    const how = kind[edge]!
    if (how === element || how === hiddenEdge || (how === property && isDictionary(from))) return someEdge
    const name = graph.edgeName[edge]!
    if (edgeNumbers[name] === 0) edgeNumbers[name] = 1 + tree.label(`edge ${edgeText(edge, from)}`)
    return edgeNumbers[name]! - 1
  }

  const nodeNumber = (node: number): number => {
    const named = nameNumber(node)
    if (!isFunction(node)) return named
    const at = places.numberOf(node)
    if (at < 0) return named
    let number = placeNumbers.get(named, at)
    if (number < 0) {
      const place = places.place(at)
      number = place === undefined ? named : tree.label(`${named} ${place.file}:${place.line}:${place.column}`)
      placeNumbers.set(named, at, number)
    }
    return number
  }

  const nameNumber = (node: number): number => {
    const kept = type[node]!
    // All strings have one label, and so have all numbers.
    const text = isData[kept] === 1 ? 0 : name[node]!
    let number = nodeNumbers.get(text, kept)
    if (number < 0) nodeNumbers.set(text, kept, number = tree.label(`node ${kindOf(node)} ${nodeText(node)}`))
    return number
  }

  const placeOf = (node: number): ScriptPlace | undefined => {
    const at = places.numberOf(node)
    return at < 0 ? undefined : places.place(at)
  }

  return {
    context: graph.strings.find("system / Context") ?? -1,
    // A small integer is no object, so it has no bytes, and another id in each snapshot. Its text is there for the reader alone.
    isPart: (node: number, from: number): boolean =>
      type[node] === array || type[node] === hidden || type[from] === number
      || (type[node] === number && graph.selfSize[node] === 0),
    classLabel: nodeNumber,
    label: (node: number, edge: number, from: number): number => {
      const e = edgeNumber(edge, from)
      const n = nodeNumber(node)
      let number = both.get(e, n)
      if (number < 0) both.set(e, n, number = tree.label(`${e} ${n}`))
      return number
    },
    step: (node: number, edge: number, from: number): Step => ({
      edge: edgeText(edge, from),
      node: nodeText(node),
      kind: kindOf(node),
      place: isFunction(node) ? placeOf(node) : undefined
    })
  }
}

const longest = 60

/** A name as a program writes it, a tag such as `~effect/Fiber`, or a class of V8 or Node, such as `Node / TCPWrap`. */
const isIdentifier = /^(?:~?[\p{ID_Start}$_#@][\p{ID_Continue}$./-]*|\w+ \/ \w+|\(.*\))$/u
const hasNumber = /\d{3}/

/** A name without what is data: numbers, ids and long texts. */
const normal = (text: string): string => {
  if (text.includes("WeakMap")) return "WeakMap value"
  const plain = text.replace(/ ?\/? ?@\d+/g, "").replace(/^<symbol (.*)>$/, "$1").trim()
  if (/^_?(?:idle)?(?:next|prev(?:ious)?)$/i.test(plain)) return "next"
  if (!isIdentifier.test(plain) || hasNumber.test(plain)) return "[]"
  return plain.length > longest ? `${plain.slice(0, longest)}…` : plain
}
