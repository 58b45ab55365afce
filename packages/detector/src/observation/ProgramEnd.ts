/** The end of an observed program. */

/**
 * The end of an observed program: its exit code, or the signal that ended it.
 */
export interface ProgramEnd {
  readonly command: ReadonlyArray<string>
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly stoppedByTool: boolean
}
