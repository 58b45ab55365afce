/**
 * The state behind a mailbox. Each method is one step: an item is queued, owned by one receiver, delivered or dropped, and at no time
 * two of these or none.
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

/** An item that was handed out and came back, and how often its handler has failed. */
interface Returned<A> {
  readonly item: A
  readonly failures: number
}

/** What a receiver owns. One delivery serves one receiver again and again. */
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
  /** Those that came back are handed out first: they were there first. */
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

  /** Whether nothing will ever be handed out again: an item that is owned may still come back. */
  get hasEnded(): boolean {
    return this.closed && this.owned === 0 && this.size === 0
  }

  /** Whether an item is accepted now, before nobody who waits. */
  get hasRoom(): boolean {
    return this.#queued.size < this.options.capacity && this.senders.size === 0
  }

  /** Whether an item is handed out now, before nobody who waits. */
  get hasItem(): boolean {
    return this.receivers.size === 0 && this.size > 0
  }

  accept(item: A): void {
    this.counts.offered++
    this.#queued.push(item)
    if (this.receivers.size > 0) this.receivers.wake()
    if (this.#changed.isAwaited) this.#changed.notice()
  }

  /** Drops what was queued first, in favour of what is offered. Only when full. */
  slide(item: A): void {
    this.#drop(this.#queued.shift(), "overflow")
    this.accept(item)
  }

  /** Drops what is offered. */
  refuse(item: A): void {
    this.counts.offered++
    this.#drop(item, "overflow")
  }

  /** Makes one item of what was queued last and what is offered. Only when full. */
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

  /** Hands out what there is, at most so much. Whoever takes a batch never gives it back. */
  takeBatch(most: number): ReadonlyArray<A> {
    const batch: Array<A> = []
    while (batch.length < most && this.size > 0) {
      batch.push(this.#returned.size > 0 ? this.#returned.shift().item : this.#queued.shift())
    }
    this.owned += batch.length
    if (this.senders.size > 0) this.senders.wake()
    return batch
  }

  /** A batch was dealt with, one way or the other. */
  settleBatch(length: number, delivered: boolean): void {
    this.owned -= length
    this.counts[delivered ? "delivered" : "dropped"] += length
    this.#settled()
  }

  /** Has everybody look again who waits for something about the mailbox. */
  notice(): void {
    this.#changed.notice()
  }

  /** The item was dealt with. */
  finish(delivery: Delivery<A>): void {
    this.#release(delivery)
    this.counts.delivered++
    this.#settled()
  }

  /** The item was not dealt with: it comes back, before all others. */
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

  /** Accepts no more. What is queued will be delivered. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.senders.wake()
    this.#settled()
  }

  /** Drops what is queued, and what comes back from now on. */
  closeNow(): number {
    this.close()
    this.#discarding = true
    const dropped = this.size
    while (this.#returned.size > 0) this.#drop(this.#returned.shift().item, "closed")
    while (this.#queued.size > 0) this.#drop(this.#queued.shift(), "closed")
    this.#settled()
    return dropped
  }

  /** Waits for something about the mailbox to hold; it is looked at when an item comes, or is dealt with. */
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
