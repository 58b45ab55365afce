/** Places in the source of a program as tests need them: those of calls, and on errors. */
import type { Place } from "../../internal/places.ts"
import { isProgram, placeOf } from "../../internal/places.ts"

export { generatorState, isProgram, original, placeOf } from "../../internal/places.ts"
export type { Place } from "../../internal/places.ts"

/** Pays for the first question, which makes V8 announce every script there is. */
export const prepare = (): void => void placeOf((function*() {})())

/**
 * The call of the program that is nearest to the top of the stack, as the script has it: {@link original} maps it. `direct` is for a
 * call that no run loop of a fiber stands between: an operation of the running fiber is not called from where its loop was entered.
 */
export const callPlace = (direct = false): Place | undefined => {
  const { prepareStackTrace, stackTraceLimit } = Error
  let place: Place | undefined
  // A captured stack holds the receivers of its frames for as long as it is not read, so only the place is taken from it.
  Error.stackTraceLimit = maxStack
  Error.prepareStackTrace = (_, sites) => {
    for (const site of sites) {
      const file = site.getFileName()
      if (direct && site.getFunctionName() === "runLoop") break
      if (file === null || file === undefined || !isProgram(file)) continue
      place = { file, line: site.getLineNumber() ?? 1, column: site.getColumnNumber() ?? 1 }
      break
    }
    return ""
  }
  try {
    void new Error().stack
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, "prepareStackTrace")
    else Error.prepareStackTrace = prepareStackTrace
  }
  return place
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
