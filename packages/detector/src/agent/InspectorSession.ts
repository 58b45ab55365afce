/** V8's inspector for this thread, which answers before the call returns. */
import inspector from "node:inspector"

export interface InspectorSession {
  /** Calls a method of the inspector's protocol and returns its answer. Throws the inspector's error. */
  readonly post: (method: string, params?: object) => unknown
  /** Calls `listener` for each notification of a kind. The listener must not throw. */
  readonly on: (notification: string, listener: (message: { readonly params: unknown }) => void) => void
  readonly close: () => void
}

/**
 * When any session ends, V8 gives all objects new ids, and heap snapshots from before and after cannot be compared by object. So from the first
 * snapshot to the last one, sessions are kept for the next use.
 */
let keepsIds = false
const idle: Array<inspector.Session> = []

/** From now on, objects keep their ids. */
export const keepObjectIds = (): void => {
  keepsIds = true
}

/** Whether {@link keepObjectIds} holds: then nothing may be done that changes ids, such as `HeapProfiler.disable`. */
export const keepsObjectIds = (): boolean => keepsIds

/** Objects may get new ids again. */
export const releaseObjectIds = (): void => {
  keepsIds = false
  for (const session of idle.splice(0)) session.disconnect()
}

const connected = (): inspector.Session => {
  const session = new inspector.Session()
  session.connect()
  return session
}

export const openSession = (): InspectorSession => {
  const session = idle.pop() ?? connected()
  return {
    post: (method, params) => {
      let failure: Error | null = null
      let result: unknown
      // guarded: it only stores its arguments
      session.post(method, params, (error: Error | null, answer?: unknown) => {
        failure = error
        result = answer
      })
      if (failure !== null) throw failure as Error
      return result
    },
    on: (notification, listener) => void session.on(notification, listener),
    close: () => {
      session.removeAllListeners()
      if (keepsIds) idle.push(session)
      else session.disconnect()
    }
  }
}
