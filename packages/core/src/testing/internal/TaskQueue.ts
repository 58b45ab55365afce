/**
 * The tasks of the fibers of a run. In the order of Effect's own scheduler, each fiber has one dispatcher, each turn runs one
 * batch of its tasks, and priorities apply within the batch. A scheduler may choose other orders, but tasks of one fiber always
 * keep their order.
 */
import type * as Scheduler from "effect/Scheduler"

interface Task {
  readonly run: () => void
  readonly priority: number
}

/** The tasks that one dispatcher runs in one turn. New tasks join it until it begins. */
export interface Batch {
  readonly dispatcher: Dispatcher
  readonly tasks: Array<Task>
  next: number
}

export class Dispatcher implements Scheduler.SchedulerDispatcher {
  readonly #schedule: (dispatcher: Dispatcher, task: () => void, priority: number) => void
  readonly #flush: (dispatcher: Dispatcher) => void
  open: Batch | undefined
  /** Its next task resumes a parked fiber, and must not run yet. */
  held = false

  constructor(
    schedule: (dispatcher: Dispatcher, task: () => void, priority: number) => void,
    flush: (dispatcher: Dispatcher) => void
  ) {
    this.#schedule = schedule
    this.#flush = flush
  }

  scheduleTask(task: () => void, priority: number): void {
    this.#schedule(this, task, priority)
  }

  flush(): void {
    this.#flush(this)
  }
}

export class TaskQueue {
  readonly #batches: Array<Batch> = []

  get size(): number {
    return this.#batches.length
  }

  add(dispatcher: Dispatcher, task: Task): void {
    let batch = dispatcher.open
    if (batch === undefined) {
      batch = dispatcher.open = { dispatcher, tasks: [], next: 0 }
      this.#batches.push(batch)
    }
    const { tasks } = batch
    if (tasks.length === 0 || tasks[tasks.length - 1]!.priority <= task.priority) tasks.push(task)
    else tasks.splice(tasks.findIndex(({ priority }) => priority > task.priority), 0, task)
  }

  /** The batch whose turn it is. */
  get first(): Batch | undefined {
    return this.#batches[0]
  }

  /** The batches that may run next: the first one of each dispatcher. */
  get candidates(): ReadonlyArray<Batch> {
    const seen = new Set<Dispatcher>()
    return this.#batches.filter(({ dispatcher }) => !dispatcher.held && !seen.has(dispatcher) && seen.add(dispatcher))
  }

  of(dispatcher: Dispatcher): Batch | undefined {
    return this.#batches.find((batch) => batch.dispatcher === dispatcher)
  }

  /** Takes the next task of a batch, and begins the batch. */
  take(batch: Batch): () => void {
    if (batch.dispatcher.open === batch) batch.dispatcher.open = undefined
    const { run } = batch.tasks[batch.next++]!
    if (batch.next === batch.tasks.length) {
      if (this.#batches[0] === batch) this.#batches.shift()
      else this.#batches.splice(this.#batches.indexOf(batch), 1)
    }
    return run
  }

  clear(): void {
    this.#batches.length = 0
  }
}
