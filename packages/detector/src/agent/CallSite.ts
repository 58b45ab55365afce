/** Which file called: read from V8's call sites, so that no stack has to be kept and the program's own `prepareStackTrace` is not run. */
import { isOwn } from "./Own.ts"

/** A call, by where it stands in what V8 runs. */
export interface CallSite {
  readonly file: string
  readonly line: number
  readonly column: number
}

const maxStack = 16

/** The innermost call in a file that is neither node's nor the tool's, and that `skip` does not pass over. */
export const callSite = (skip: (file: string) => boolean = () => false): CallSite | undefined => {
  const limit = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")
  const prepare = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace")
  let call: CallSite | undefined
  try {
    Error.stackTraceLimit = maxStack
    // guarded: V8 calls it below, inside of the caller's guard
    Error.prepareStackTrace = (_, sites) => {
      for (const site of sites) {
        const file = site.getFileName()
        if (file === null || file === undefined || file.startsWith("node:") || isOwn(file) || skip(file)) continue
        call = { file, line: site.getLineNumber() ?? 1, column: site.getColumnNumber() ?? 1 }
        break
      }
      return ""
    }
    void new Error().stack
  } finally {
    if (limit !== undefined) Object.defineProperty(Error, "stackTraceLimit", limit)
    if (prepare === undefined) Reflect.deleteProperty(Error, "prepareStackTrace")
    else Object.defineProperty(Error, "prepareStackTrace", prepare)
  }
  return call
}
