/** Classifies frames as code of the program or of a library. */
import { isLibraryFile, isProgramFile } from "@fiberscope/core/FiberSite"
import type { Place } from "../agent/Protocol.ts"

/** Whether a frame is in the program's own code, and not in node or a library. */
export const isProgramFrame = ({ file }: Place): boolean => file !== undefined && isProgramFile(file)

/** Whether a frame is in a library. */
export const isLibraryFrame = ({ file }: Place): boolean => file !== undefined && isLibraryFile(file)
