/** Whose code a frame is. */
import type { Place } from "../agent/Protocol.ts"

/** Whether a frame is the program's own: not node's, not a library's. */
export const isProgramFrame = ({ file }: Place): boolean =>
  file !== undefined && file !== "" && !file.startsWith("node:") && !file.startsWith("evalmachine")
  && !file.startsWith("native ") && !/[\\/]node_modules[\\/]/.test(file)

export const isLibraryFrame = ({ file }: Place): boolean => file !== undefined && /[\\/]node_modules[\\/]/.test(file)
