/** How an observed program ended. */

/**
 * How the observed program came to its end.
 */
export interface ProgramEnd {
  readonly command: ReadonlyArray<string>
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly stoppedByTool: boolean
}
