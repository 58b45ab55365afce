/** The line of the program's source at which a fiber is suspended, also without an `Effect.fn` or span around it. */
import { relative } from "node:path"
import type { RuntimeFiber } from "../../FiberCensus.ts"
import { waitingPlace } from "../../internal/fibers/waitingPlaces.ts"
import type { Place } from "./places.ts"
import { callPlace, original } from "./places.ts"

/** The place of the program's own generator or continuation that is nearest to the top of the fiber's stack. */
export const suspendedAt = (fiber: unknown): Place | undefined => {
  const place = waitingPlace(fiber as RuntimeFiber)
  return place === undefined ? undefined : { file: place.file, line: place.line, column: place.column }
}

/** The call of the program that is nearest to the top of the JavaScript stack; `direct`: within the operation of a fiber. */
export const callingFrom = (direct = false): Place | undefined => {
  const call = callPlace(direct)
  return call === undefined ? undefined : original(call.file, call.line, call.column)
}

/** Renders `src/db.ts:12:3`, relative to the working directory of the process. */
export const renderPlace = ({ column, file, line }: Place): string => {
  const path = relative(process.cwd(), file)
  return `${path.startsWith("..") ? file : path}:${line}:${column}`
}
