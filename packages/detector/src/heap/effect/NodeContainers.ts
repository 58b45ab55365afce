/** Containers of Node, JavaScript and `lru-cache` in a snapshot. */
import type { HeapGraph } from "../HeapGraph.ts"
import { edgeNameOf, edgeType, nameOf, nodeType } from "../HeapGraph.ts"
import type { Container, ContainerPart, ContainerParts, OtherContainerKind } from "./Container.ts"
import { lruCache, lruFields, partsOfLruCache } from "./LruCache.ts"
import { arraySize, exactly, storesOf, tableSize } from "./Sizes.ts"
import { field, numberIn, reach, tableOf } from "./Values.ts"

/** The kinds that have objects of their own for their entries. */
type NodeContainerKind = Exclude<OtherContainerKind, "Array" | "Map" | "Object" | "Set">

/** Two fields by which a kind is known; neither has a number, because numbers may not show. */
const marks: ReadonlyArray<
  { readonly kind: NodeContainerKind; readonly fields: readonly [first: string, second: string] }
> = [
  { kind: "EventEmitter", fields: ["_events", "<symbol kCapture>"] },
  { kind: "EventTarget", fields: ["<symbol kEvents>", "<symbol kHandlers>"] },
  { kind: "HttpAgent", fields: ["freeSockets", "requests"] },
  { kind: "LRUCache", fields: lruFields }
]

const classOfTimers = "TimersList"

/** A container that is known by its fields. */
export interface NodeContainer {
  readonly node: number
  readonly kind: NodeContainerKind
}

/** Finds the containers that are known by their fields. */
export const nodeContainers = (graph: HeapGraph): ReadonlyArray<NodeContainer> => {
  const property = edgeType(graph, "property")
  const object = nodeType(graph, "object")
  const timers = graph.strings.find(classOfTimers)
  /** The position of a mark, plus 1, by the number of its first field. */
  const markOf = new Uint8Array(graph.strings.size)
  for (const [i, { fields: [first] }] of marks.entries()) {
    const number = graph.strings.find(first)
    if (number !== undefined) markOf[number] = i + 1
  }
  const found: Array<NodeContainer> = []
  for (let node = 0; node < graph.nodes; node++) {
    if (graph.type[node] !== object) continue
    if (graph.name[node] === timers) {
      if (field(graph, node, timerFields.next) !== undefined) found.push({ node, kind: "Timers" })
      continue
    }
    let kind: NodeContainerKind | undefined
    for (let edge = graph.firstEdge[node]!; edge < graph.firstEdge[node + 1]!; edge++) {
      const at = graph.edgeType[edge] === property ? markOf[graph.edgeName[edge]!]! : 0
      if (at === 0) continue
      const mark = marks[at - 1]!
      // An agent is an emitter too, and has the fields of one before its own. The prototype of emitters has no events.
      const isOne = reach(graph, node, "property", mark.fields[1]) !== undefined
        && (mark.kind !== "EventEmitter" || field(graph, node, mark.fields[0]) !== undefined)
      if (isOne) kind = mark.kind
    }
    if (kind !== undefined) found.push({ node, kind })
  }
  return found
}

/** Reads a container that is known by its fields. */
export const nodeContainer = (graph: HeapGraph, { kind, node }: NodeContainer): Container => {
  switch (kind) {
    case "EventEmitter": {
      const parts = listenersOf(graph, node)
      return { node, kind, ...exactly(sum(parts)), bound: Infinity, parts }
    }
    case "EventTarget":
      return { node, kind, ...exactly(targetListeners(graph, node)), bound: Infinity }
    case "HttpAgent": {
      const parts = agentParts.map(({ bound, name }) => ({
        name,
        size: socketsOf(graph, node, name).reduce((all, array) => all + arraySize(graph, array).size, 0),
        ...(bound === undefined ? {} : { bound: numberIn(graph, node, bound) })
      }))
      const sockets = sum(parts.filter(({ name }) => name !== "requests"))
      const waiting = sum(parts.filter(({ name }) => name === "requests"))
      return { node, kind, ...exactly(sockets), bound: numberIn(graph, node, "maxTotalSockets"), waiting, parts }
    }
    case "LRUCache":
      return lruCache(graph, node)
    case "Timers":
      return { node, kind, ...exactly(timersOf(graph, node)), bound: Infinity }
  }
}

/** The parts of a container that is known by its fields. */
export const partsOfNode = (graph: HeapGraph, { kind, node }: NodeContainer): ContainerParts => {
  switch (kind) {
    case "EventEmitter": {
      const events = field(graph, node, "_events")
      const arrays = propertiesOf(graph, events).filter(({ node: one }) => nameOf(graph, one) === "Array")
      return {
        way: events === undefined ? [] : [events],
        stores: arrays.flatMap(({ node: one }) => storesOf(graph, one))
      }
    }
    case "EventTarget":
      return { way: [], stores: storesOf(graph, field(graph, node, targetFields.events)) }
    case "HttpAgent":
      return { way: agentParts.flatMap(({ name }) => field(graph, node, name) ?? []), stores: [] }
    case "LRUCache":
      return partsOfLruCache(graph, node)
    case "Timers":
      return { way: [], stores: [] }
  }
}

/** The sockets of an agent for each host: arrays that have a bound each. */
export const arraysOfAgent = (graph: HeapGraph, agent: number): ReadonlyArray<Container> =>
  agentParts.flatMap(({ bound, name }) =>
    socketsOf(graph, agent, name).map((node): Container => ({
      node,
      kind: "HttpAgent",
      ...arraySize(graph, node),
      bound: bound === undefined ? Infinity : numberIn(graph, agent, bound)
    }))
  )

/** A Map, a Set, an array, or an object with so many fields that it is a dictionary. */
export const collectionAt = (graph: HeapGraph, node: number): Container | undefined => {
  if (graph.type[node] !== nodeType(graph, "object")) return undefined
  const name = nameOf(graph, node)
  // Iterators have the table of their collection too.
  if (name.endsWith(" Iterator")) return undefined
  if (name === "Array") return { node, kind: "Array", ...arraySize(graph, node), bound: Infinity }
  const table = tableOf(graph, node)
  if (table !== undefined) return { node, kind: table.kind, ...tableSize(table), bound: Infinity }
  if (name !== "Object") return undefined
  const { length } = propertiesOf(graph, node)
  const isExact = graph.strings.find("smi number") !== undefined
  return length > mostFields ? { node, kind: "Object", size: length, isExact, bound: Infinity } : undefined
}

/** An object with more fields than this is a dictionary, and their names are data of the program. */
const mostFields = 40

const agentParts = [
  { name: "sockets", bound: "maxSockets" },
  { name: "freeSockets", bound: "maxFreeSockets" },
  { name: "requests", bound: undefined }
] as const

const targetFields = { events: "<symbol kEvents>", next: "next" } as const

const timerFields = { next: "_idleNext" } as const

const socketsOf = (graph: HeapGraph, agent: number, name: string): ReadonlyArray<number> =>
  propertiesOf(graph, field(graph, agent, name)).map(({ node }) => node).filter((node) =>
    nameOf(graph, node) === "Array"
  )

interface Property {
  readonly name: string
  readonly node: number
}

const propertiesOf = (graph: HeapGraph, node: number | undefined): ReadonlyArray<Property> => {
  if (node === undefined) return []
  const property = edgeType(graph, "property")
  const found: Array<Property> = []
  for (let edge = graph.firstEdge[node]!; edge < graph.firstEdge[node + 1]!; edge++) {
    if (graph.edgeType[edge] !== property) continue
    const name = edgeNameOf(graph, edge)
    if (name !== "__proto__") found.push({ name, node: graph.target[edge]! })
  }
  return found
}

/** The listeners of an emitter by event, the most first. One listener stands alone, several are in an array. */
const listenersOf = (graph: HeapGraph, emitter: number): ReadonlyArray<ContainerPart> => {
  const events = propertiesOf(graph, field(graph, emitter, "_events"))
  const parts = events.flatMap(({ name, node }) => {
    if (nameOf(graph, node) === "Array") return [{ name, size: arraySize(graph, node).size }]
    return graph.type[node] === nodeType(graph, "closure") ? [{ name, size: 1 }] : []
  })
  if (parts.length > mostFields) return [{ name: "[]", size: sum(parts) }]
  // A dictionary has its fields in an order of its own.
  return parts.sort((a, b) => b.size - a.size || a.name.localeCompare(b.name))
}

/** The listeners of a target: a Map of events, each with a chain that begins with an object that is no listener. */
const targetListeners = (graph: HeapGraph, target: number): number => {
  const map = field(graph, target, targetFields.events)
  const table = map === undefined ? undefined : tableOf(graph, map)
  return (table?.entries ?? []).reduce((all, { value }) => {
    const first = field(graph, value, targetFields.next)
    return all + chain(graph, first, targetFields.next, undefined)
  }, 0)
}

/** The timers of a list: a circle that begins and ends at the list. */
const timersOf = (graph: HeapGraph, list: number): number =>
  chain(graph, field(graph, list, timerFields.next), timerFields.next, list)

const chain = (graph: HeapGraph, first: number | undefined, next: string, end: number | undefined): number => {
  let length = 0
  // A snapshot may show a list that is about to change, so a circle may not lead back to its beginning.
  for (let at = first; at !== undefined && at !== end && length < graph.nodes; at = field(graph, at, next)) length++
  return length
}

const sum = (parts: ReadonlyArray<ContainerPart>): number => parts.reduce((all, { size }) => all + size, 0)
