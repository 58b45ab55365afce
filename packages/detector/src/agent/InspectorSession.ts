/** V8's inspector on the own thread, which answers before the call returns. */
import inspector from "node:inspector"

export interface InspectorSession {
  /** The answer to a method of the inspector's protocol. Throws what the inspector answers instead. */
  readonly post: (method: string, params?: object) => unknown
  /** Calls a function for each notification of a kind; it must not throw. */
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
      // guarded: it does nothing but keep what it gets
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
