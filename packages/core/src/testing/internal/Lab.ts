/** Plays a program on a {@link Stage} according to a plan, and checks the state at the end of the run. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Operation } from "../LabReport.ts"
import { InjectedFailure, Ledger } from "../Ledger.ts"
import type { Plan } from "../Point.ts"
import type { StageOptions } from "./Stage.ts"
import { CurrentStage, Stage } from "./Stage.ts"
import { renderPlace, suspendedAt } from "./suspendedAt.ts"

export interface Outcome {
  readonly plan: Plan
  readonly stage: Stage
  readonly ledger: Ledger
  readonly problems: ReadonlyArray<string>
  readonly operations: ReadonlyArray<Operation>
}

/** The data that an invariant may inspect at the end of a run. */
export interface Finished {
  readonly ledger: Ledger
  /** `undefined`: the program never ended. */
  readonly exit: Exit.Exit<unknown, unknown> | undefined
  readonly interrupted: boolean
}

export interface LabOptions extends StageOptions {
  readonly make: (ledger: Ledger) => Effect.Effect<unknown, unknown, unknown>
  readonly context: Context.Context<never>
  readonly invariant: ((finished: Finished) => string | ReadonlyArray<string> | undefined) | undefined
}

export interface PlayOptions {
  /** Records the points at which the run can be interrupted. */
  readonly record?: boolean
  /** Records the name of every operation; slower. */
  readonly operations?: boolean
  readonly onApply?: Stage["onApply"] | undefined
}

/** The context that all runs share: that of the caller, without services that would connect the runs. */
export const baseContext = (context: Context.Context<never>, logs: boolean): Context.Context<never> => {
  const own = Context.add(
    // Runs must not share a layer that was built outside: each builds and closes its own.
    Context.omit(Layer.CurrentMemoMap)(context),
    Scheduler.PreventSchedulerYield,
    false
  )
  return logs ? own : Context.add(own, Logger.CurrentLoggers, new Set())
}

export class Lab {
  readonly #options: LabOptions

  constructor(options: LabOptions) {
    this.#options = options
  }

  /** Plays a run; returns a promise only with the asynchronous driver. */
  play(plan: Plan, options: PlayOptions = {}): Outcome | Promise<Outcome> {
    const stage = new Stage(plan, this.#options)
    const ledger = stage.ledger = new Ledger(stage)
    stage.onApply = options.onApply
    if (options.record === true) stage.record()
    const operations: Array<Operation> = []
    const scope = Scope.makeUnsafe()
    const context = this.#context(stage, scope, options.operations === true ? operations : undefined)
    const start = () => {
      Effect.runForkWith(context)(this.#make(ledger))
    }
    const close = () => {
      const closing = Scope.closeUnsafe(scope, stage.exit!)
      if (closing === undefined) return false
      Effect.runForkWith(context)(closing)
      return true
    }
    const judged = (): Outcome => {
      const problems = this.#judge(stage, ledger)
      stage.close()
      return { plan, stage, ledger, problems, operations }
    }
    if (plan.driver === "async") return stage.playAsync(start, close).then(judged)
    stage.play(start, close)
    return judged()
  }

  #make(ledger: Ledger): Effect.Effect<unknown, unknown> {
    try {
      return this.#options.make(ledger) as Effect.Effect<unknown, unknown>
    } catch (error) {
      return Effect.die(error)
    }
  }

  #context(stage: Stage, scope: Scope.Scope, operations: Array<Operation> | undefined): Context.Context<never> {
    const context = this.#options.context.pipe(
      Context.add(Clock.Clock, stage.clock),
      Context.add(Random.Random, stage),
      Context.add(Scheduler.Scheduler, stage),
      Context.add(CurrentStage, stage),
      Context.add(Scope.Scope, scope)
    )
    return operations === undefined ? context : Context.add(context, Tracer.Tracer, tracer(stage, context, operations))
  }

  #judge(stage: Stage, ledger: Ledger): ReadonlyArray<string> {
    const { exit } = stage
    const out: Array<string> = []
    if (stage.exhausted) out.push(`the program did not end within ${this.#options.maxOps} operations`)
    else if (exit === undefined) out.push(neverEnded(stage))
    out.push(...ledger.problems())
    if (exit !== undefined) {
      out.push(...defects(exit, "the program"))
      if (stage.subjects.length > 0 && exit._tag === "Failure" && !Cause.hasDies(exit.cause)) {
        out.push(`the code around the subject failed: ${firstLine(exit.cause)}`)
      }
    }
    for (const subject of stage.subjects) {
      const exit = subject.pollUnsafe()
      if (exit !== undefined) out.push(...defects(exit, `the ${stage.nameOf(subject)}`))
    }
    const alive = stage.exhausted || exit === undefined ? [] : stage.alive
    if (alive.length > 0) {
      const names = alive.slice(0, 3).map((fiber) => {
        const place = suspendedAt(fiber)
        return place === undefined ? stage.nameOf(fiber) : `${stage.nameOf(fiber)} (at ${renderPlace(place)})`
      }).join(", ")
      out.push(
        `still alive after the program has ended: ${names}${alive.length > 3 ? `, and ${alive.length - 3} more` : ""}`
      )
    }
    for (const error of stage.thrown) out.push(`a task of the scheduler threw: ${String(error)}`)
    const broken = this.#options.invariant?.({ ledger, exit, interrupted: stage.applied.length > 0 })
    if (typeof broken === "string") out.push(broken)
    else if (broken !== undefined) out.push(...broken)
    return out.length <= maxProblems
      ? out
      : [...out.slice(0, maxProblems), `${out.length - maxProblems} more problems`]
  }
}

/** The maximum number of problems of a run that are listed. */
const maxProblems = 20

const neverEnded = (stage: Stage): string => {
  const fact = "the program never ended: every fiber waits, and nothing is due"
  if (stage.applied.length > 0) return fact
  const meant = "If it is meant to wait forever, set `endless: true`"
  return stage.plan.driver === "virtual"
    ? `${fact}. If it waits for a promise, set \`driver: "async"\`. ${meant}.`
    : `${fact}. If it waits for I/O, give it time to \`settle\`. ${meant}.`
}

/** The defect with which a program dies when the second run of its subject does not work. */
export class SubjectIsBroken extends Data.TaggedError("SubjectIsBroken")<{ readonly how: string }> {
  override get message(): string {
    return `after the interruption, a second uninterrupted run ${this.how}`
  }
}

/** The defects of an exit, except those that the lab has injected. */
const defects = (exit: Exit.Exit<unknown, unknown>, what: string): ReadonlyArray<string> =>
  exit._tag === "Success" ?
    [] :
    exit.cause.reasons.flatMap((reason) => {
      if (reason._tag !== "Die" || reason.defect instanceof InjectedFailure) return []
      return reason.defect instanceof SubjectIsBroken
        ? [reason.defect.message]
        : [`${what} died: ${firstLine(Cause.die(reason.defect))}`]
    })

export const firstLine = (cause: Cause.Cause<unknown>): string =>
  Cause.pretty(cause).split("\n")[0]!.replace(/ \{$/, "")

const identifier = "~effect/Effect/identifier"
const evaluate = "~effect/Effect/evaluate"

/** A tracer that records the name of each operation, and delegates spans to the tracer of the program. */
const tracer = (
  stage: Stage,
  context: Context.Context<never>,
  operations: Array<Operation>
): Tracer.Tracer => {
  const own = Context.get(context, Tracer.Tracer)
  return {
    span: (options) => own.span(options),
    context(primitive, fiber) {
      const name = (primitive as { readonly [identifier]?: string })[identifier] ?? "Effect"
      const operation = { op: stage.ops, fiber: stage.nameOf(fiber), name }
      // The runtime parks a fiber in two steps and counts them as one operation.
      if (operations.at(-1)?.op === stage.ops) operations[operations.length - 1] = { ...operation, name: "(parked)" }
      else operations.push(operation)
      return own.context === undefined ? primitive[evaluate](fiber) : own.context(primitive, fiber)
    }
  }
}

export const millis = (duration: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(duration))
