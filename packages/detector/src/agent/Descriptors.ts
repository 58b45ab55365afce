/**
 * File descriptors that are in use, as far as a program can tell everywhere at the same small price: the system gives out the lowest
 * number that is free, so this number rises when descriptors are not given back, and falls below it when they are.
 */
import { closeSync, openSync } from "node:fs"
import { devNull } from "node:os"
import { isMainThread } from "node:worker_threads"

// Taken at load: the program may replace them.
const open = openSync
const close = closeSync

/** The lowest number of a descriptor that is free; `undefined` in threads, which share those of the process, and where none may be opened. */
export const lowestFreeDescriptor = (): number | undefined => {
  if (!isMainThread) return undefined
  try {
    const descriptor = open(devNull, "r")
    close(descriptor)
    return descriptor
  } catch {
    return undefined
  }
}
