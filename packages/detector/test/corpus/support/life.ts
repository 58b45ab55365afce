/**
 * How long a program of the corpus lives: it works for `CORPUS_SECONDS` (30), and five seconds later it ends, whatever
 * it still holds. What it holds is what an observer is asked to judge.
 */
export const seconds = Number(process.env["CORPUS_SECONDS"] ?? 30)

/** A part of the running time, in milliseconds: `part(0.4)` is where the first 40 % of the run are over. */
export const part = (fraction: number) => seconds * 1000 * fraction

/** The part of the running time that is over, from 0 to 1 and a little beyond. */
export const elapsed = () => performance.now() / (seconds * 1000)

/** A time between half and one and a half of `millis`. */
export const jitter = (millis: number) => millis * (0.5 + Math.random())

setTimeout(() => process.exit(0), (seconds + 5) * 1000)
