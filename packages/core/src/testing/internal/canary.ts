/**
 * The canary: a program with a bug that the lab must find, and one without. If a new version of Effect hid its operations from
 * the lab, all other programs would pass without any check.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Ledger } from "../Ledger.ts"
import { explore } from "./exploration.ts"
import type { Outcome } from "./Lab.ts"
import { baseContext, Lab } from "./Lab.ts"

const wrong = (ledger: Ledger): Effect.Effect<void, unknown> =>
  Effect.flatMap(ledger.open("canary"), (lease) => Effect.onExit(Effect.sleep("1 second"), () => ledger.close(lease)))

const right = (ledger: Ledger): Effect.Effect<void, unknown> =>
  Effect.acquireUseRelease(ledger.open("canary"), () => Effect.sleep("1 second"), (lease) => ledger.close(lease))

/** Plays both on the runtime of this process, and returns a description of what the lab fails to see. */
export const examine = (context: Context.Context<never> = baseContext(Context.empty(), false)): string | undefined => {
  const caught = play(wrong, context)
  if (typeof caught === "string") return caught
  if (caught.park === 0) return "the lab no longer parks a fiber between an acquisition and its finalizer"
  const passed = play(right, context)
  if (typeof passed === "string") return passed
  return passed.all === 0 ? undefined : "the lab reports a failure in a program without a bug"
}

let verdict: { readonly blind: string | undefined } | undefined

/** Calls {@link examine} once in a process. */
export const check = (): string | undefined => (verdict ??= { blind: examine() }).blind

const play = (
  make: (ledger: Ledger) => Effect.Effect<unknown, unknown>,
  context: Context.Context<never>
): { readonly park: number; readonly all: number } | string => {
  const lab = new Lab({
    make,
    context,
    invariant: undefined,
    maxOps: 1000,
    grace: 0,
    endless: undefined,
    deliveries: false,
    settle: 0
  })
  const steps = explore({
    driver: "virtual",
    kinds: new Set(["park", "task", "idle"]),
    orders: [{ _tag: "Fifo" }],
    seed: 0,
    pairs: false,
    faults: [],
    maxRuns: 1000,
    until: Infinity
  })
  let step = steps.next()
  while (step.done !== true) {
    const outcome = lab.play(step.value.plan, { record: step.value.record, operations: true }) as Outcome
    if (outcome.stage.blind !== undefined) return outcome.stage.blind
    if (outcome.operations.length !== outcome.stage.ops) return "the tracer no longer sees each operation"
    step = steps.next(outcome)
  }
  const { drifted, failures } = step.value
  if (drifted !== undefined) return "two runs of one program take different paths"
  const park = failures.filter(({ plan }) => plan.points[0]?._tag === "Park").length
  return { park, all: failures.length }
}
