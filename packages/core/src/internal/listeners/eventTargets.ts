/** One interface for the two kinds of objects that have listeners. */

/** The part of Node's `EventEmitter` that is needed here. */
export interface Emitter {
  // Emitters type their listeners with one overload for each event, which has no structural type.
  // oxlint-disable-next-line typescript/no-explicit-any
  on(event: any, listener: (...args: Array<any>) => void): unknown
  // oxlint-disable-next-line typescript/no-explicit-any
  off(event: any, listener: (...args: Array<any>) => void): unknown
}

/** The part of the web's `EventTarget` that is needed here. */
export interface Target {
  // As above: a listener accepts only the event of its own kind.
  // oxlint-disable-next-line typescript/no-explicit-any
  addEventListener(event: any, listener: (event: any) => void): void
  // oxlint-disable-next-line typescript/no-explicit-any
  removeEventListener(event: any, listener: (event: any) => void): void
}

export type Listener = (...args: ReadonlyArray<unknown>) => void

export const isTarget = (target: Emitter | Target): target is Target => "addEventListener" in target

/** Adds a listener; returns a function that removes it and may be called more than once. */
export const listen = (target: Emitter | Target, event: string | symbol, listener: Listener): () => void => {
  if (!isTarget(target)) {
    target.on(event, listener)
    return () => void target.off(event, listener)
  }
  target.addEventListener(event, listener)
  // A signal that was aborted before does not notify later listeners: they would wait forever.
  if (event === "abort" && "aborted" in target && target.aborted === true) listener(new Event("abort"))
  return () => target.removeEventListener(event, listener)
}

/** The name of a target in messages. */
export const nameOfTarget = (target: object): string => target.constructor?.name || "Object"
