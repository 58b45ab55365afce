/** The second half of the corpus. */
import type { Program } from "../manifest.ts"

export const second: ReadonlyArray<Program> = []
