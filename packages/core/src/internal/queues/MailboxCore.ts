/**
 * The state behind a mailbox. Each method is one step. At any time an item is in exactly one state: queued, owned by one
 * receiver, delivered or dropped.
 */
import * as Effect from "effect/Effect"
import type * as Scheduler from "effect/Scheduler"
import { Condition } from "../Condition.ts"
import { Ring } from "./Ring.ts"
import { WaitQueue } from "./WaitQueue.ts"

export type DropReason = "overflow" | "conflated" | "undeliverable" | "closed"

export interface CoreOptions<A> {
  readonly capacity: number
  readonly maxDeliveries: number
  readonly onDrop: (item: A, reason: DropReason) => void
}

/** An item that was returned by its receiver, and the number of failures of its handler. */
interface Returned<A> {
  readonly item: A
  readonly failures: number
}

/** The items that a receiver owns. A receiver reuses one delivery for all its items. */
export interface Delivery<A> {
  owned: boolean
  item: A | undefined
  failures: number
}

export const emptyDelivery = <A>(): Delivery<A> => ({ owned: false, item: undefined, failures: 0 })

export class MailboxCore<A> {
  readonly options: CoreOptions<A>
  readonly counts = { offered: 0, delivered: 0, dropped: 0, redelivered: 0 }
  readonly senders: WaitQueue
  readonly receivers: WaitQueue
  owned = 0
  closed = false
  readonly #queued = new Ring<A>()
  /** Returned items are handed out first, because they were first in the queue. */
  readonly #returned = new Ring<Returned<A>>()
  readonly #changed: Condition
  #discarding = false

  constructor(options: CoreOptions<A>, dispatcher: Scheduler.SchedulerDispatcher) {
    this.options = options
    this.#changed = new Condition(dispatcher)
    this.senders = new WaitQueue(dispatcher, () => this.closed || this.#queued.size < options.capacity)
    this.receivers = new WaitQueue(dispatcher, () => this.size > 0 || this.hasEnded)
  }

  get size(): number {
    return this.#queued.size + this.#returned.size
  }

  /** Whether no item will be handed out again. An owned item may still return. */
  get hasEnded(): boolean {
    return this.closed && this.owned === 0 && this.size === 0
  }

  /** Whether an item can be accepted now without overtaking a waiting sender. */
  get hasRoom(): boolean {
    return this.#queued.size < this.options.capacity && this.senders.size === 0
  }

  /** Whether an item can be handed out now without overtaking a waiting receiver. */
  get hasItem(): boolean {
    return this.receivers.size === 0 && this.size > 0
  }

  accept(item: A): void {
    this.counts.offered++
    this.#queued.push(item)
    if (this.receivers.size > 0) this.receivers.wake()
    if (this.#changed.isAwaited) this.#changed.notice()
  }

  /** Drops the oldest queued item to make room for the offered one. Only when full. */
  slide(item: A): void {
    this.#drop(this.#queued.shift(), "overflow")
    this.accept(item)
  }

  /** Drops the offered item. */
  refuse(item: A): void {
    this.counts.offered++
    this.#drop(item, "overflow")
  }

  /** Merges the newest queued item with the offered one. Only when full. */
  conflate(item: A, merge: (queued: A, offered: A) => A): void {
    this.counts.offered++
    let replaced: A
    this.#queued.replaceLast((queued) => {
      replaced = queued
      return merge(queued, item)
    })
    this.#drop(replaced!, "conflated")
  }

  /** Hands out an item. Only when there is one. */
  take(delivery: Delivery<A>): void {
    this.owned++
    delivery.owned = true
    if (this.#returned.size > 0) {
      const { failures, item } = this.#returned.shift()
      delivery.item = item
      delivery.failures = failures
      return
    }
    delivery.item = this.#queued.shift()
    delivery.failures = 0
    if (this.senders.size > 0) this.senders.wake()
  }

  /** The item that is handed out next. Only when there is one. */
  get next(): A {
    return this.#returned.size > 0 ? this.#returned.first.item : this.#queued.first
  }

  /** Hands out the available items, at most `max` of them. A receiver of a batch never returns it. */
  takeBatch(most: number): ReadonlyArray<A> {
    const batch: Array<A> = []
    while (batch.length < most && this.size > 0) {
      batch.push(this.#returned.size > 0 ? this.#returned.shift().item : this.#queued.shift())
    }
    this.owned += batch.length
    if (this.senders.size > 0) this.senders.wake()
    return batch
  }

  /** Settles a batch: delivered or dropped. */
  settleBatch(length: number, delivered: boolean): void {
    this.owned -= length
    this.counts[delivered ? "delivered" : "dropped"] += length
    this.#settled()
  }

  /** Makes all fibers that wait for a condition of the mailbox check it again. */
  notice(): void {
    this.#changed.notice()
  }

  /** The item was settled. */
  finish(delivery: Delivery<A>): void {
    this.#release(delivery)
    this.counts.delivered++
    this.#settled()
  }

  /** The item was not settled: it returns to the head of the queue. */
  giveBack(delivery: Delivery<A>, failed: boolean): void {
    const { item } = delivery as { item: A }
    const failures = delivery.failures + (failed ? 1 : 0)
    this.#release(delivery)
    if (this.#discarding) this.#drop(item, "closed")
    else if (failures >= this.options.maxDeliveries) this.#drop(item, "undeliverable")
    else {
      this.counts.redelivered++
      this.#returned.unshift({ item, failures })
      if (this.receivers.size > 0) this.receivers.wake()
    }
    this.#settled()
  }

  /** Accepts no more items. Queued items will be delivered. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.senders.wake()
    this.#settled()
  }

  /** Drops the queued items, and items that return from now on. */
  closeNow(): number {
    this.close()
    this.#discarding = true
    const dropped = this.size
    while (this.#returned.size > 0) this.#drop(this.#returned.shift().item, "closed")
    while (this.#queued.size > 0) this.#drop(this.#queued.shift(), "closed")
    this.#settled()
    return dropped
  }

  /** Waits until a condition of the mailbox holds. It is checked when an item arrives or is settled. */
  until(holds: () => boolean): Effect.Effect<void> {
    return this.#changed.await(holds)
  }

  #release(delivery: Delivery<A>): void {
    this.owned--
    delivery.owned = false
    delivery.item = undefined
  }

  #settled(): void {
    if (this.closed && this.receivers.size > 0) this.receivers.wake()
    if (this.#changed.isAwaited) this.#changed.notice()
  }

  #drop(item: A, reason: DropReason): void {
    this.counts.dropped++
    this.options.onDrop(item, reason)
  }
}
