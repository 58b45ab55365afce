/** Classifies frames as code of the program or of a library. */
import type { Place } from "../agent/Protocol.ts"

/** Whether a frame is in the program's own code, and not in node or a library. */
export const isProgramFrame = ({ file }: Place): boolean =>
  file !== undefined && file !== "" && !file.startsWith("node:") && !file.startsWith("evalmachine")
  && !file.startsWith("native ") && !/[\\/]node_modules[\\/]/.test(file)

/** Whether a frame is in a library. */
export const isLibraryFrame = ({ file }: Place): boolean => file !== undefined && /[\\/]node_modules[\\/]/.test(file)
