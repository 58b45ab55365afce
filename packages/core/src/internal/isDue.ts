/**
 * Whether a time, in milliseconds, has come. Clocks and sleeps count whole nanoseconds; a sum or a part of times is off by a fraction
 * of one. Whoever sleeps until the clock shows exactly that would sleep for nothing again and again.
 */
export const isDue = (at: number, now: number): boolean => now + 5e-7 >= at
