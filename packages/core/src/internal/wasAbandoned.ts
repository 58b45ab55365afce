/** The end of a message about an operation that was interrupted and is no longer waited for. */
export const wasAbandoned = "did not respond to interruption and was abandoned"
