/**
 * Whether a time, in milliseconds, has come. Clocks and sleeps count whole nanoseconds, but sums and fractions of times are off
 * by a part of one. Without the tolerance, a fiber that sleeps until an exact time would wake up too early again and again.
 */
export const isDue = (at: number, now: number): boolean => now + 5e-7 >= at
