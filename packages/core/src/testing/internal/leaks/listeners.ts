/** Listeners that a test has added to an object that outlives it. */
import { EventEmitter, getEventListeners } from "node:events"
import type { Place } from "../places.ts"
import { callPlace, isCalledBy, original } from "../places.ts"
import { renderPlace } from "../suspendedAt.ts"
import type { FileHandle } from "./resources.ts"
import { opened } from "./resources.ts"
import type { Leak, Probe, Watch } from "./Watch.ts"
import { owner } from "./Watch.ts"

// No reference here may keep the emitter alive: a listener's closure usually holds it.
interface Entry {
  readonly target: WeakRef<object>
  readonly listener: WeakRef<object>
  readonly event: string | symbol
  readonly call: Place | undefined
}

interface Listeners {
  entries: Array<Entry>
}

const listenersOf = (watch: Watch): Listeners => watch.of(listeners, () => ({ entries: [] }))

/** Emitters by the test that created them: listeners on its own emitters end with them. */
const made = new WeakMap<object, Watch>()

type AddToEmitter = (
  this: EventEmitter,
  event: string | symbol,
  listener: (...args: ReadonlyArray<unknown>) => void
) => EventEmitter
type AddToTarget = EventTarget["addEventListener"]

const methods = ["on", "addListener", "prependListener"] as const
const maxEntries = 10_000
const scriptOfFetch = "node:internal/deps/undici/undici"

const record = (target: object, event: string | symbol, listener: unknown): void => {
  if ((typeof listener !== "function" && typeof listener !== "object") || listener === null) return
  const watch = owner()
  if (watch === undefined || made.get(target) === watch) return
  // Node's fetch adds listeners to its own signals, and to other signals until its record of the request is collected: a test
  // cannot remove these.
  if (target instanceof AbortSignal && isCalledBy(scriptOfFetch)) return
  const list = listenersOf(watch)
  list.entries.push({ target: new WeakRef(target), listener: new WeakRef(listener), event, call: callPlace() })
  // A long test adds and removes many listeners.
  if (list.entries.length > maxEntries) list.entries = list.entries.filter(isThere)
}

export const listeners: Probe = {
  install: () => {
    const prototype = EventEmitter.prototype as unknown as Record<typeof methods[number], AddToEmitter>
    const undo = methods.map((name) => {
      const original = prototype[name]
      const wrapped: AddToEmitter = function(event, listener) {
        const result = original.call(this, event, listener)
        record(this, event, listener)
        return result
      }
      prototype[name] = wrapped
      return () => {
        if (prototype[name] === wrapped) prototype[name] = original
      }
    })
    const emitters = EventEmitter as unknown as { init: (this: object, options: unknown) => void }
    const { init } = emitters
    const wrappedInit = function(this: object, options: unknown): void {
      init.call(this, options)
      const watch = owner()
      if (watch === undefined) return
      made.set(this, watch)
      if (this.constructor.name === "FileHandle") opened(this as FileHandle, watch)
    }
    emitters.init = wrappedInit
    const add = EventTarget.prototype.addEventListener
    const wrappedAdd: AddToTarget = function(this: EventTarget, type, listener, options) {
      add.call(this, type, listener, options)
      record(this, type, listener)
    }
    EventTarget.prototype.addEventListener = wrappedAdd
    return () => {
      for (const each of undo) each()
      if (emitters.init === wrappedInit) emitters.init = init
      if (EventTarget.prototype.addEventListener === wrappedAdd) EventTarget.prototype.addEventListener = add
    }
  },

  left: (watch) => {
    const leaks: Array<Leak> = []
    for (const entry of listenersOf(watch).entries) {
      if (!isThere(entry)) continue
      const at = entry.call === undefined ? undefined : original(entry.call.file, entry.call.line, entry.call.column)
      leaks.push({
        kind: "listener",
        what: `for "${String(entry.event)}" on ${nameOf(entry.target.deref()!)}`,
        at,
        site: at === undefined ? [] : [`added at ${renderPlace(at)}`]
      })
    }
    return leaks
  }
}

/** Listeners that remain on an object that may already be garbage. */
export const mayBeGarbage = (watch: Watch): boolean => listenersOf(watch).entries.some(isThere)

const isThere = ({ event, listener, target }: Entry): boolean => {
  const at = target.deref()
  const added = listener.deref()
  if (at === undefined || added === undefined) return false
  return at instanceof EventEmitter
    ? (at.rawListeners(event) as ReadonlyArray<unknown>).includes(added)
    : (getEventListeners(at as EventTarget, String(event)) as ReadonlyArray<unknown>).includes(added)
}

const nameOf = (target: object): string =>
  (target as unknown) === process ? "process" : target.constructor?.name ?? "an emitter"
