/**
 * Containers of a snapshot: how many entries each has, and how many it may have.
 *
 * **Details**
 *
 * Something that grows up to its bound is not a leak, so a growing path needs the bound of the container on it. Effect's containers, those
 * of Node and `lru-cache` have one in their fields; a Map, a Set and an array have none.
 *
 * V8 writes small integers neither into tables nor, by default, into fields. So most bounds are known only in a snapshot that was taken
 * with `exposeNumericValues`.
 */
import type { HeapGraph } from "../HeapGraph.ts"
import type { Container, ContainerParts } from "./Container.ts"
import { effectContainer, effectContainerKinds, partsOfEffect } from "./EffectContainers.ts"
import { effectObjects } from "./EffectFields.ts"
import type { EffectObjects } from "./EffectFields.ts"
import { arraysOfAgent, collectionAt, nodeContainer, nodeContainers, partsOfNode } from "./NodeContainers.ts"
import { storesOf } from "./Sizes.ts"

/** The containers of a snapshot. */
export interface Containers {
  /** The container that a node is, or is a part of: the Map in a cache belongs to the cache. */
  readonly of: (node: number) => Container | undefined
  /** Containers with at least so many entries, those with the most first. */
  readonly all: (atLeast?: number) => ReadonlyArray<Container>
  /** The containers that hold at most a known number of entries, and the objects of which they are made. */
  readonly bounded: () => ReadonlyArray<BoundedContainer>
}

/** A container with a finite bound. */
interface BoundedContainer extends Container, ContainerParts {
  readonly bound: number
}

/** Fewer entries are no reason to look at a container. */
const few = 16

interface Known {
  readonly read: () => Container
  readonly parts: () => ContainerParts
}

/** Finds the containers of a snapshot. */
export const containers = (graph: HeapGraph, objects: EffectObjects = effectObjects(graph)): Containers => {
  const known = new Map<number, Known>()
  const owners = new Map<number, number>()
  const add = (node: number, read: () => Container, parts: () => ContainerParts): void => {
    known.set(node, { read, parts })
    const { stores, way } = parts()
    for (const part of [...way, ...stores]) owners.set(part, node)
  }
  for (const one of nodeContainers(graph)) {
    add(one.node, () => nodeContainer(graph, one), () => partsOfNode(graph, one))
    if (one.kind !== "HttpAgent") continue
    for (const array of arraysOfAgent(graph, one.node)) {
      add(array.node, () => array, () => ({ way: [], stores: storesOf(graph, array.node) }))
    }
  }
  for (const kind of effectContainerKinds) {
    for (const node of objects.all(kind)) {
      add(node, () => effectContainer(graph, node, kind), () => partsOfEffect(graph, node, kind))
    }
  }

  const of = (node: number): Container | undefined =>
    known.get(known.has(node) ? node : owners.get(node) ?? node)?.read() ?? collectionAt(graph, node)

  const all = (atLeast: number = few): ReadonlyArray<Container> => {
    const found: Array<Container> = []
    const take = (one: Container | undefined): void => {
      if (one !== undefined && Math.max(one.size, one.waiting ?? 0) >= atLeast) found.push(one)
    }
    for (let node = 0; node < graph.nodes; node++) {
      if (known.has(node)) take(known.get(node)!.read())
      else if (!owners.has(node)) take(collectionAt(graph, node))
    }
    return found.sort((a, b) => b.size - a.size)
  }

  const bounded = (): ReadonlyArray<BoundedContainer> =>
    [...known.values()].flatMap(({ parts, read }) => {
      const one = read()
      return one.bound === undefined || one.bound === Infinity ? [] : [{ ...one, bound: one.bound, ...parts() }]
    })

  return { of, all, bounded }
}
