/** The places of a path in the heap, translated to the sources. */
import { isProgramFile } from "@fiberscope/core/FiberSite"
import type { HeapStep, Place } from "../agent/Protocol.ts"

/** The parts of {@link "Sources"} that are needed. */
export interface HeapPathSources {
  readonly resolve: (place: Place) => Place
  /** The declaration of a variable that a function uses. */
  readonly declaration: (variable: string, near: Place) => Place | undefined
}

/**
 * Translates the places of the functions on a path. The variables of a function or a module get the place at which the one on the path is
 * declared, or that of a function which uses it.
 */
export const resolveSteps = (
  steps: ReadonlyArray<HeapStep>,
  { declaration, resolve }: HeapPathSources
): ReadonlyArray<HeapStep> => {
  let near: Place | undefined
  return steps.map((step, i): HeapStep => {
    // A recording of the corpus has the declaration already.
    if (step.kind === "scope" && step.place !== undefined) return step
    if (step.place !== undefined) near = resolve(step.place)
    const variable = steps[i + 1]?.edge
    if (step.kind !== "scope" || near === undefined || variable === undefined) {
      return step.place === undefined ? step : { ...step, place: near }
    }
    const isOwn = near.file !== undefined && isProgramFile(near.file)
    return { ...step, place: (isOwn ? declaration(variable, near) : undefined) ?? near }
  })
}
