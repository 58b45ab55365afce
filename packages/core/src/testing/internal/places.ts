/** Places in the source of a program that tests need: those of calls, and those shown by errors. */
import type { Place } from "../../internal/fibers/places.ts"
import { isProgram, placeOf } from "../../internal/fibers/places.ts"

export { generatorState, isProgram, original, placeOf } from "../../internal/fibers/places.ts"
export type { Place } from "../../internal/fibers/places.ts"

/** Runs the first query in advance, which makes V8 announce every script. */
export const prepare = (): void => void placeOf((function*() {})())

/**
 * The call of the program that is nearest to the top of the stack, as the script has it: {@link original} maps it to the source.
 * `direct` excludes calls with a run loop of a fiber in between: an operation of the running fiber was not called from the place
 * where its loop was entered.
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

/** Whether a script of Node itself is on the stack, above the program. */
export const isCalledBy = (script: string): boolean => {
  let found = false
  walkStack((site) => {
    const file = site.getFileName()
    found = file === script
    return found || (typeof file === "string" && isProgram(file))
  })
  return found
}

/** Visits the frames from the top of the stack until the callback returns true. */
const walkStack = (visit: (site: NodeJS.CallSite) => boolean): void => {
  const { prepareStackTrace, stackTraceLimit } = Error
  // A captured stack holds the receivers of its frames until it is read, so only the requested data is read from it.
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

/**
 * Gives an error the stack of its leaks: test runners show the lines of the stack, and the lines where the error was created are
 * not useful.
 */
export const pointTo = <E extends Error>(error: E, places: ReadonlyArray<Place | undefined>): E => {
  const known = places.filter((place) => place !== undefined)
  error.stack = [
    `${error.name}: ${error.message}`,
    ...known.map(({ column, file, line }) => `    at ${file}:${line}:${column}`)
  ].join("\n")
  return error
}
