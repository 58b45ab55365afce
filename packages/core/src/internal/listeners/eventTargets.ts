/** The two kinds of objects that have listeners, as one. */

/** Node's `EventEmitter`, as far as it is needed here. */
export interface Emitter {
  // Emitters type their listeners in ways that cannot be told structurally, one overload for each event.
  // oxlint-disable-next-line typescript/no-explicit-any
  on(event: any, listener: (...args: Array<any>) => void): unknown
  // oxlint-disable-next-line typescript/no-explicit-any
  off(event: any, listener: (...args: Array<any>) => void): unknown
}

/** The web's `EventTarget`, as far as it is needed here. */
export interface Target {
  // As above: a listener takes the event of its own kind.
  // oxlint-disable-next-line typescript/no-explicit-any
  addEventListener(event: any, listener: (event: any) => void): void
  // oxlint-disable-next-line typescript/no-explicit-any
  removeEventListener(event: any, listener: (event: any) => void): void
}

export type Listener = (...args: ReadonlyArray<unknown>) => void

export const isTarget = (target: Emitter | Target): target is Target => "addEventListener" in target

/** Adds a listener; answers with its removal, which may be called more than once. */
export const listen = (target: Emitter | Target, event: string | symbol, listener: Listener): () => void => {
  if (!isTarget(target)) {
    target.on(event, listener)
    return () => void target.off(event, listener)
  }
  target.addEventListener(event, listener)
  // A signal that was aborted before says so to nobody who comes later: they would wait for ever.
  if (event === "abort" && "aborted" in target && target.aborted === true) listener(new Event("abort"))
  return () => target.removeEventListener(event, listener)
}

/** What a target is called in messages. */
export const nameOfTarget = (target: object): string => target.constructor?.name || "Object"
