/** The points at which the lab interrupts a program, and the tokens that encode them in one line. */
import * as Data from "effect/Data"

/**
 * A moment in the run of a program. Numbers count from 1, over all fibers of the program.
 *
 * **Details**
 *
 * - `Park`: a fiber is parked just before the `op`-th operation of the run loop, as if it had used up its budget, and the
 *   interruption arrives while it is parked.
 * - `Task`: the interruption arrives just before the scheduler runs its `task`-th task.
 * - `Idle`: the interruption arrives when every fiber waits for the `idle`-th time: before virtual time advances, before the
 *   event loop gets a turn, or in a deadlock.
 *
 * `victim` is the index of the interrupted subject, from 0; absent for the first one, and for a program without subjects.
 *
 * @category models
 */
export type Point =
  | { readonly _tag: "Park"; readonly op: number; readonly victim?: number }
  | { readonly _tag: "Task"; readonly task: number; readonly victim?: number }
  | { readonly _tag: "Idle"; readonly idle: number; readonly victim?: number }

/**
 * The order in which tasks of different fibers run. `Fifo` is the order of Effect's own scheduler. `Seed` picks the next fiber at
 * random; tasks of one fiber keep their order. `Choices` repeats such picks: 0 is the choice of `Fifo`.
 *
 * @category models
 */
export type TaskOrder =
  | { readonly _tag: "Fifo" }
  | { readonly _tag: "Seed"; readonly seed: number }
  | { readonly _tag: "Choices"; readonly choices: ReadonlyArray<number> }

/**
 * A failure that the lab injects through the ledger: the `at`-th acquisition fails, the `at`-th release dies after it has
 * released, or the `at`-th release takes a second of virtual time.
 *
 * @category models
 */
export interface Fault {
  readonly kind: FaultKind
  readonly at: number
}

/**
 * The failures that the lab injects.
 *
 * @category models
 */
export type FaultKind = "failingAcquire" | "dyingRelease" | "slowRelease"

/**
 * The parameters of a run, without the program: no point for an undisturbed run, two for a pair of interruptions.
 *
 * @category models
 */
export interface Plan {
  readonly driver: "virtual" | "async"
  readonly points: ReadonlyArray<Point>
  readonly order: TaskOrder
  /** The seed of `Random`, and of `Math.random` while fibers run. */
  readonly seed: number
  readonly fault: Fault | undefined
}

/**
 * A token that cannot be replayed: it is malformed, or was made for another program.
 *
 * @category errors
 */
export class NotReplayable extends Data.TaggedError("NotReplayable")<{
  readonly token: string
  readonly reason: string
}> {
  override get message(): string {
    return `Cannot replay "${this.token}": ${this.reason}`
  }
}

const version = "lab1"
const faultNames = { failingAcquire: "failing-acquire", dyingRelease: "dying-release", slowRelease: "slow-release" }

/**
 * Renders a point for people: `op 6`, `task 2`, `idle 1`, `op 6 of subject 2`.
 *
 * @category rendering
 */
export const renderPoint = (point: Point): string => {
  const [name, position] = partsOf(point)
  return point.victim === undefined ? `${name} ${position}` : `${name} ${position} of subject ${point.victim + 1}`
}

const partsOf = (point: Point): readonly [name: string, position: number] => {
  switch (point._tag) {
    case "Park":
      return ["op", point.op]
    case "Task":
      return ["task", point.task]
    case "Idle":
      return ["idle", point.idle]
  }
}

const encodePoint = (point: Point): string => {
  const [name, position] = partsOf(point)
  return point.victim === undefined ? `${name}=${position}` : `${name}=${position}.${point.victim + 1}`
}

const decodePoint = (key: string, value: string): Point | undefined => {
  const [, position, subject] = /^([1-9]\d*)(?:\.([2-9]|[1-9]\d+))?$/.exec(value) ?? []
  if (position === undefined) return undefined
  const victim = subject === undefined ? {} : { victim: Number(subject) - 1 }
  switch (key) {
    case "op":
      return { _tag: "Park", op: Number(position), ...victim }
    case "task":
      return { _tag: "Task", task: Number(position), ...victim }
    case "idle":
      return { _tag: "Idle", idle: Number(position), ...victim }
    default:
      return undefined
  }
}

/**
 * Encodes a plan, and the trace of the program up to its first point, as a token. {@link decodeToken} reads it.
 *
 * @category tokens
 */
export const encodeToken = (plan: Plan, trace: number | undefined): string =>
  [
    version,
    ...(plan.driver === "async" ? ["async"] : []),
    ...plan.points.map(encodePoint),
    ...(plan.order._tag === "Seed" ? [`order=seed.${plan.order.seed}`] : []),
    ...(plan.order._tag === "Choices" ? [`order=${plan.order.choices.join(".")}`] : []),
    ...(plan.fault === undefined ? [] : [`${faultNames[plan.fault.kind]}=${plan.fault.at}`]),
    ...(plan.seed === 0 ? [] : [`random=${plan.seed}`]),
    ...(trace === undefined ? [] : [`trace=${(trace >>> 0).toString(36)}`])
  ].join("/")

/**
 * Decodes a token. `trace` is the trace that was passed to {@link encodeToken}.
 *
 * @category tokens
 */
export const decodeToken = (
  token: string
): { readonly plan: Plan; readonly trace: number | undefined } | NotReplayable => {
  const [first, ...parts] = token.trim().split("/")
  if (first !== version) {
    return new NotReplayable({
      token,
      reason: `it does not begin with "${version}". Copy the whole token of a failure.`
    })
  }
  const plan: { -readonly [K in keyof Plan]: Plan[K] } = {
    driver: "virtual",
    points: [],
    order: { _tag: "Fifo" },
    seed: 0,
    fault: undefined
  }
  let trace: number | undefined
  for (const part of parts) {
    const [key = "", value = ""] = part.split("=")
    const number = Number(value)
    const counts = Number.isSafeInteger(number) && number > 0
    const fault = (Object.keys(faultNames) as ReadonlyArray<FaultKind>).find((kind) => faultNames[kind] === key)
    const point = decodePoint(key, value)
    if (key === "async") plan.driver = "async"
    else if (point !== undefined) plan.points = [...plan.points, point]
    else if (fault !== undefined && counts) plan.fault = { kind: fault, at: number }
    else if (key === "random" && Number.isSafeInteger(number)) plan.seed = number
    else if (key === "trace" && /^[0-9a-z]+$/.test(value)) trace = Number.parseInt(value, 36) | 0
    else if (key === "order" && /^seed\.\d+$/.test(value)) plan.order = { _tag: "Seed", seed: Number(value.slice(5)) }
    else if (key === "order" && /^\d+(\.\d+)*$/.test(value)) {
      plan.order = { _tag: "Choices", choices: value.split(".").map(Number) }
    } else {return new NotReplayable({
        token,
        reason: `"${part}" is not part of a token. Copy the whole token of a failure.`
      })}
  }
  return { plan, trace }
}
