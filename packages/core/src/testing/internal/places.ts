/** Places in the source of a program as tests need them: those of calls, and on errors. */
import type { Place } from "../../internal/fibers/places.ts"
import { isProgram, placeOf } from "../../internal/fibers/places.ts"

export { generatorState, isProgram, original, placeOf } from "../../internal/fibers/places.ts"
export type { Place } from "../../internal/fibers/places.ts"

/** Pays for the first question, which makes V8 announce every script there is. */
export const prepare = (): void => void placeOf((function*() {})())

/**
 * The call of the program that is nearest to the top of the stack, as the script has it: {@link original} maps it. `direct` is for a
 * call that no run loop of a fiber stands between: an operation of the running fiber is not called from where its loop was entered.
 */
export const callPlace = (direct = false): Place | undefined => {
  let place: Place | undefined
  walkStack((site) => {
    const file = site.getFileName()
    if (direct && site.getFunctionName() === "runLoop") return true
    if (file === null || file === undefined || !isProgram(file)) return false
    place = { file, line: site.getLineNumber() ?? 1, column: site.getColumnNumber() ?? 1 }
    return true
  })
  return place
}

/** Whether a script of Node's own is on the stack, above the program. */
export const isCalledBy = (script: string): boolean => {
  let found = false
  walkStack((site) => {
    const file = site.getFileName()
    found = file === script
    return found || (typeof file === "string" && isProgram(file))
  })
  return found
}

/** Visits the frames from the top of the stack until the answer is true. */
const walkStack = (visit: (site: NodeJS.CallSite) => boolean): void => {
  const { prepareStackTrace, stackTraceLimit } = Error
  // A captured stack holds the receivers of its frames for as long as it is not read, so nothing is taken from it but what is asked.
  Error.stackTraceLimit = maxStack
  Error.prepareStackTrace = (_, sites) => {
    sites.some(visit)
    return ""
  }
  try {
    void new Error().stack
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, "prepareStackTrace")
    else Error.prepareStackTrace = prepareStackTrace
  }
}

const maxStack = 24

/** Gives an error the stack of what it reports: test runners show the lines that it names, which are not those of its making. */
export const pointTo = <E extends Error>(error: E, places: ReadonlyArray<Place | undefined>): E => {
  const known = places.filter((place) => place !== undefined)
  error.stack = [
    `${error.name}: ${error.message}`,
    ...known.map(({ column, file, line }) => `    at ${file}:${line}:${column}`)
  ].join("\n")
  return error
}
