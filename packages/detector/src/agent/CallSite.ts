/** The file that called, read from V8's call sites: no stack is kept, and the program's own `prepareStackTrace` does not run. */
import { isToolFile } from "./toolFrames.ts"

/** The position of a call in the file that V8 runs. */
export interface CallSite {
  readonly file: string
  readonly line: number
  readonly column: number
}

const maxStack = 16

/** The innermost call in a file that is not node's, not the tool's, and not skipped by `skip`. */
export const callSite = (skip: (file: string) => boolean = () => false): CallSite | undefined => {
  const limit = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")
  const prepare = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace")
  let call: CallSite | undefined
  try {
    Error.stackTraceLimit = maxStack
    // guarded: V8 calls it below, inside the caller's guard
    Error.prepareStackTrace = (_, sites) => {
      for (const site of sites) {
        const file = site.getFileName()
        if (file === null || file === undefined || file.startsWith("node:") || isToolFile(file) || skip(file)) continue
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
