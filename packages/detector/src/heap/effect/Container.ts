/** A container of a snapshot: its entries, and how many of them it may have. */
import type { EffectKind } from "./EffectFields.ts"
import type { Size } from "./Sizes.ts"

/** The kinds of Effect's objects that have entries. */
export type EffectContainerKind = Exclude<EffectKind, "Fiber" | "RcRef" | "Subscription">

/** The kinds of containers of Node, JavaScript and packages. `Object` is one with many fields, used as a dictionary. */
export type OtherContainerKind =
  | "Array"
  | "EventEmitter"
  | "EventTarget"
  | "HttpAgent"
  | "LRUCache"
  | "Map"
  | "Object"
  | "Set"
  | "Timers"

/** The kind of a container. */
type ContainerKind = EffectContainerKind | OtherContainerKind

/** A part of a container with a number of its own: the listeners of an event, the free sockets of an agent. */
export interface ContainerPart {
  readonly name: string
  readonly size: number
  readonly bound?: number | undefined
}

/**
 * A container.
 *
 * **Details**
 *
 * - `size`: entries; taken permits of a semaphore, waiting fibers of a Deferred or a Latch, finalizers of a scope, sockets of an agent, and
 *   the sum of the sizes for an `lru-cache` that has no limit but that;
 * - `isExact`: otherwise there are at least so many;
 * - `bound`: `Infinity` for one without a bound; absent where it is not known;
 * - `waiting`: fibers that wait for a place or an entry.
 */
export interface Container extends Size {
  readonly node: number
  readonly kind: ContainerKind
  readonly bound?: number | undefined
  readonly waiting?: number | undefined
  readonly parts?: ReadonlyArray<ContainerPart> | undefined
}

/** The objects of which a container is made, without itself. */
export interface ContainerParts {
  /** The objects between the container and its stores. */
  readonly way: ReadonlyArray<number>
  /** The Maps, Sets and arrays that hold the entries, and their tables and elements. */
  readonly stores: ReadonlyArray<number>
  /** Objects that each belong to one entry, and which something else keeps too. */
  readonly attached?: ReadonlyArray<number>
}
