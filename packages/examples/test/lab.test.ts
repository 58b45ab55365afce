/**
 * Interrupts the work of every fixed example at every possible point: nothing must remain.
 */
import { describe, it } from "@effect/vitest"
import { InterruptLab } from "@fiberscope/core/testing"
import { Effect, Layer } from "effect"
import * as backgroundTasks from "../src/background-tasks/fixed.ts"
import * as globalTaskList from "../src/global-task-list/fixed.ts"
import * as listeners from "../src/listeners/fixed.ts"
import * as reschedulingConnection from "../src/rescheduling-connection/fixed.ts"
import * as unboundedQueue from "../src/unbounded-queue/fixed.ts"
import * as uncancelledWorkers from "../src/uncancelled-workers/fixed.ts"

interface Fixed {
  readonly pattern: string
  readonly work: Effect.Effect<unknown, unknown>
  readonly left: () => number
}

const fixed: ReadonlyArray<Fixed> = [
  { pattern: "background-tasks", work: backgroundTasks.handleRequest(), left: backgroundTasks.left },
  { pattern: "uncancelled-workers", work: uncancelledWorkers.session(), left: uncancelledWorkers.left },
  {
    pattern: "rescheduling-connection",
    work: Effect.provide(reschedulingConnection.handleRequest(), Layer.fresh(reschedulingConnection.services)),
    left: reschedulingConnection.left
  },
  {
    pattern: "global-task-list",
    work: Effect.provide(globalTaskList.handleRequest(), Layer.fresh(globalTaskList.services)),
    left: globalTaskList.left
  },
  {
    pattern: "listeners",
    work: Effect.provide(listeners.handleRequest(), Layer.fresh(listeners.services)),
    left: listeners.left
  },
  {
    pattern: "unbounded-queue",
    work: Effect.provide(unboundedQueue.placeOrder(), Layer.fresh(unboundedQueue.services)),
    left: unboundedQueue.left
  }
]

describe("InterruptLab", () => {
  it.effect.each(fixed)("finds nothing in $pattern/fixed", ({ left, work }) =>
    InterruptLab.verify(() => work, {
      budget: { runs: 2500 },
      grace: 0,
      invariant: () => left() === 0 ? undefined : `${left()} remain`
    }), 120_000)
})
