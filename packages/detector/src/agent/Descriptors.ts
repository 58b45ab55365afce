/**
 * An estimate of the open file descriptors that is cheap on every system. The system hands out the lowest free number, so this number
 * rises while descriptors are not closed, and falls again when they are.
 */
import { closeSync, openSync } from "node:fs"
import { devNull } from "node:os"
import { isMainThread } from "node:worker_threads"

// Taken at load: the program may replace them.
const open = openSync
const close = closeSync

/** The lowest free descriptor; `undefined` in threads, which share those of the process, and where no file may be opened. */
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
