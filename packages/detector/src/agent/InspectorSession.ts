/** V8's inspector for this thread, which answers before the call returns. */
import inspector from "node:inspector"

export interface InspectorSession {
  /** Calls a method of the inspector's protocol and returns its answer. Throws the inspector's error. */
  readonly post: (method: string, params?: object) => unknown
  /** Calls `listener` for each notification of a kind. The listener must not throw. */
  readonly on: (notification: string, listener: (message: { readonly params: unknown }) => void) => void
  readonly close: () => void
}

export const openSession = (): InspectorSession => {
  const session = new inspector.Session()
  session.connect()
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
    close: () => session.disconnect()
  }
}
