/** The frame that an `Effect.fn` would add, for functions called outside of one: a combinator on a layer has a caller, and no fiber yet. */
import type { StackFrame } from "effect/References"
import { isLibraryFile } from "../census/programFile.ts"

const most = 16

/** Captures the stack at the call, and renders it when it is requested. */
export const calledFrom = (name: string): (parent: StackFrame | undefined) => StackFrame => {
  const { stackTraceLimit } = Error
  if (stackTraceLimit === 0) return (parent) => ({ name, stack: () => undefined, parent })
  Error.stackTraceLimit = most
  const taken = new Error(name)
  Error.stackTraceLimit = stackTraceLimit
  let line: string | undefined
  const stack = () =>
    line ??= taken.stack?.split("\n").find((text) => /:\d+:\d+\)?$/.test(text) && isCaller(text))?.trim()
  return (parent) => ({ name, stack, parent })
}

/** Whether the line is neither of a library, such as the `pipe` in between, nor of Fiberscope. */
const isCaller = (text: string): boolean => !isLibraryFile(text) && !text.includes(ours)

const ours = decodeURIComponent(new URL("../..", import.meta.url).pathname)
