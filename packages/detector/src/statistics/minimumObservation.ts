/** How long a program must have been watched before anything is said of it. */

/**
 * Milliseconds before which nothing is called a leak. A thing counts as old at three seconds at least; the quarters in which growth
 * must show are then shorter than three seconds themselves, and start-up looks like growth.
 */
export const leakAfterMs = 14_000

/** Milliseconds before which nothing is called ok: the late half of the window then holds ten seconds of old arrivals. */
export const okAfterMs = 25_000
